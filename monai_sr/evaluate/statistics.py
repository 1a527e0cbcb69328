"""From scores of images to means over patients with their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

N_RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class ImageScore:
    """Scores of one slice by one method; all numbers count from 1, so that nothing names a patient.

    Args:
        patient: number of the patient, in the order of the datalist.
        file: number of the file, in the order of the datalist.
        frame: number of the slice in its file.
        method: how the slice was brought to the finer grid.
        scores: metric -> value, NaN where the metric does not apply.
    """

    patient: int
    file: int
    frame: int
    method: str
    scores: Mapping[str, float]


@dataclass(frozen=True)
class PatientScore:
    """Mean scores of one patient by one method, over all slices of all files.

    Args:
        patient: number of the patient, from 1.
        method: how the slices were brought to the finer grid.
        n_images: number of slices.
        scores: metric -> mean, NaN where the metric applies to no slice.
    """

    patient: int
    method: str
    n_images: int
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Estimate:
    """Mean over patients with its 95% confidence interval.

    Args:
        mean: mean of the patients' values; NaN without any.
        low: lower end, or None with fewer than two patients.
        high: upper end, or None with fewer than two patients.
        n_patients: number of patients that have a value.
    """

    mean: float
    low: float | None
    high: float | None
    n_patients: int


def average_patients(image_scores: Sequence[ImageScore]) -> list[PatientScore]:
    """Average each patient's slices, so that a patient with many does not outweigh the others.

    Args:
        image_scores: scores of every slice by every method.

    Returns:
        One entry for each patient and method, in the order of first appearance.

    Example:
        >>> first = ImageScore(1, 1, 1, "bicubic", {"psnr": 30.0})
        >>> second = ImageScore(1, 1, 2, "bicubic", {"psnr": 32.0})
        >>> average_patients([first, second])[0].scores
        {'psnr': 31.0}
    """
    groups: dict[tuple[int, str], list[Mapping[str, float]]] = {}
    for image in image_scores:
        groups.setdefault((image.patient, image.method), []).append(image.scores)
    return [
        PatientScore(
            patient,
            method,
            len(scores),
            {metric: _mean([score[metric] for score in scores]) for metric in scores[0]},
        )
        for (patient, method), scores in groups.items()
    ]


def summarise(
    patient_scores: Sequence[PatientScore], baseline: str | None = None
) -> dict[str, dict[str, Estimate]]:
    """Estimate each method's mean over patients, or its mean paired difference to a baseline.

    Args:
        patient_scores: what `average_patients` returns.
        baseline: method subtracted patient by patient; it has no entry of its own. None subtracts nothing.

    Returns:
        Method -> metric -> estimate.

    Raises:
        ValueError: if `baseline` lacks a patient.
    """
    reference = {score.patient: score.scores for score in patient_scores if score.method == baseline}
    values: dict[str, dict[str, list[float]]] = {}
    for score in patient_scores:
        if baseline is not None and score.method == baseline:
            continue
        if baseline is not None and score.patient not in reference:
            raise ValueError(f"baseline {baseline!r} has no score of patient {score.patient}: score it too")
        for metric, value in score.scores.items():
            subtracted = reference[score.patient][metric] if baseline is not None else 0.0
            values.setdefault(score.method, {}).setdefault(metric, []).append(value - subtracted)
    return {
        method: {metric: estimate_mean(numbers) for metric, numbers in metrics.items()}
        for method, metrics in values.items()
    }


def estimate_mean(values: ArrayLike, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Estimate:
    """Mean with a 95% percentile bootstrap interval; the same values always give the same interval.

    With fewer than about ten patients a bootstrap interval is too narrow: read it as a lower bound of the
    uncertainty.

    Args:
        values: one value a patient; NaN are left out.
        n_resamples: how many times patients are drawn with replacement.
        seed: seed of the draws.

    Returns:
        The estimate; without interval for fewer than two values.

    Raises:
        ValueError: if `values` is not one-dimensional or `n_resamples` < 1.

    Reference:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Example:
        >>> estimate_mean([2.0, 2.0, 2.0])
        Estimate(mean=2.0, low=2.0, high=2.0, n_patients=3)
        >>> estimate_mean([2.0])
        Estimate(mean=2.0, low=None, high=None, n_patients=1)
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"values has shape {array.shape}: give one value a patient")
    if n_resamples < 1:
        raise ValueError(f"n_resamples is {n_resamples}: give at least 1")
    array = array[~np.isnan(array)]
    if len(array) < 2:
        return Estimate(_mean(array), None, None, len(array))
    drawn = np.random.default_rng(seed).integers(len(array), size=(n_resamples, len(array)))
    means = array[drawn].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Estimate(float(array.mean()), float(low), float(high), len(array))


def _mean(values: ArrayLike) -> float:
    array = np.asarray(values, dtype=np.float64)
    array = array[~np.isnan(array)]
    return float(array.mean()) if len(array) else float("nan")
