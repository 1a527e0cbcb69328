"""What weights must keep to be released: every check of a bundle's networks at one scale, with its limit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from monai_sr.bundle import Bundle, weights_file
from monai_sr.degradation import KERNELS
from monai_sr.evaluate import BASELINES, EvaluationItem, make_degradation
from monai_sr.evaluate.lesions import Enlarge
from monai_sr.evaluate.pairs import load_pairs
from monai_sr.evaluate.phantom_tests import score_false_structures
from monai_sr.evaluate.statistics import ImageScore, average_patients, estimate_mean
from monai_sr.metrics import CappedPSNRMetric, spectrum_error
from monai_sr.trust import IntervalEstimator
from monai_sr.trust.consistency import TOLERANCE
from monai_sr.upscaler import Upscaler
from scripts.benchmarks import consistency, coverage

HALLUCINATION = Path(__file__).with_name("benchmarks") / "hallucination.json"
AGAINST = ("bicubic", "lanczos")
MOST_DIFFERENCE = 2.0
"""What the result, degraded again, may differ from its source by, RMS, as a multiple of what interpolation,
which invents nothing, differs by."""

COVERAGE, MOST_OFF = 0.9, 0.05
MOST_SHIFT = 0.1
"""High-resolution pixels by which a blurred dot may move."""

SIZE, SIGMA = 32, 2.5
"""Side of the image with the dot, and its standard deviation, in low-resolution pixels."""


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Args:
        what: is checked.
        value: that was found.
        limit: for it.
        holds: whether it is kept.
    """

    what: str
    value: str
    limit: str
    holds: bool


@dataclass(frozen=True)
class Candidate:
    """A bundle at one scale, its networks loaded once.

    Args:
        bundle: what may be released.
        scale: scale factor.
        stages: `final`, and `pixel`, the pixel-loss stage, of an adversarial bundle -> its upscaler.
    """

    bundle: Bundle
    scale: int
    stages: Mapping[str, Upscaler]

    @classmethod
    def load(cls, bundle: Bundle, scale: int) -> Candidate:
        """Load the weights of the card, in the precision that the cards' figures were measured in.

        Args:
            bundle: with weights for that scale.
            scale: scale factor.

        Returns:
            The candidate.

        Raises:
            InputError: if the weights are missing, or not those of the card.
        """
        alphas = {"pixel": 0.0} if weights_file(bundle.root, scale, "pixel").is_file() else {}
        return cls(
            bundle,
            scale,
            {
                stage: Upscaler.from_bundle(bundle.root, scale, alpha=alphas.get(stage), precision="float32")
                for stage in (*alphas, "final")
            },
        )

    @property
    def kernel(self) -> str:
        """Short name of the bundle's own degradation."""
        return self.bundle.kernel or "bicubic"

    def is_adversarial(self, stage: str) -> bool:
        """Whether a stage was trained by a discriminator."""
        return stage == "final" and "pixel" in self.stages

    def bare(self, intervals: IntervalEstimator | None = None) -> Upscaler:
        """The final network without the domain guard, which judges images and would warn of each crop."""
        final = self.stages["final"]
        return Upscaler(final.network, runtime=final.runtime, uncertainty=intervals)


def check_quality(candidate: Candidate, items: Sequence[EvaluationItem]) -> Iterator[Check]:
    """Against bicubic and Lanczos by the literature's kernel, bicubic, as differences of each patient.

    An adversarial stage is not held to PSNR, which is not its aim, but to the high part of the spectrum.
    """
    methods: dict[str, Enlarge] = {
        name: partial(BASELINES[name], scale_factor=candidate.scale) for name in AGAINST
    }
    methods |= {stage: upscaler.predict for stage, upscaler in candidate.stages.items()}
    means = average_patients(list(_scores(methods, items, candidate.scale)))
    of = {(score.patient, score.method): score.scores for score in means}
    patients = sorted({patient for patient, _ in of})
    for stage in candidate.stages:
        is_adversarial = candidate.is_adversarial(stage)
        metric, better = ("spectrum_error_high", -1) if is_adversarial else ("psnr", 1)
        name = "high spectrum error less" if is_adversarial else "PSNR more"
        for baseline in AGAINST:
            gain = estimate_mean(
                [
                    better * (of[patient, stage][metric] - of[patient, baseline][metric])
                    for patient in patients
                ]
            )
            least = gain.mean if gain.low is None else gain.low
            value = f"{gain.mean:+.2f} dB, at least {least:+.2f} ({len(patients)} patients)"
            yield Check(f"{stage}: {name} than {baseline}'s", value, "> 0", least > 0)


def check_consistency(candidate: Candidate, items: Sequence[EvaluationItem]) -> Iterator[Check]:
    """Of the middle slices, as made and enforced."""
    levels = consistency.LEVELS[candidate.bundle.name.rpartition("_")[2]]
    upscaler = candidate.bare()
    found = [consistency.measure(item.path, upscaler, candidate.kernel, levels) for item in items]
    plain = [_interpolated(item, candidate, levels) for item in items]
    times = float(np.mean([each["rms"] for each in found]) / np.mean(plain))
    yield Check(
        "differs from the source",
        f"RMS {times:.2f} times bicubic's",
        f"<= {MOST_DIFFERENCE:g}",
        times <= MOST_DIFFERENCE,
    )
    largest = max(each["enforced"] for each in found)
    yield Check("enforced", f"{largest:.2f} stored units", f"<= {TOLERANCE}", largest <= TOLERANCE)


def _interpolated(item: EvaluationItem, candidate: Candidate, levels: int) -> float:
    """RMS by which bicubic interpolation, degraded again, differs from its source."""
    degrade, scale = KERNELS[candidate.kernel], candidate.scale
    low = degrade(torch.from_numpy(consistency.whole_numbers(item.path, levels, scale))[None], scale)
    finer = torch.from_numpy(np.asarray(BASELINES["bicubic"](low.numpy(), scale), np.float32))
    return float((degrade(finer, scale) - low).square().mean().sqrt())


def check_coverage(candidate: Candidate, items: Sequence[EvaluationItem]) -> Iterator[Check]:
    """Of the intervals; a patient's share is the mean of their images'."""
    limit = f"{COVERAGE:.0%} ± {MOST_OFF:.0%}"
    if f"x{candidate.scale}" not in candidate.bundle.card.get("intervals", {}):
        yield Check("intervals hold", "not calibrated", limit, False)
        return
    head, entry = candidate.bundle.interval_head(candidate.scale)
    upscaler = candidate.bare(IntervalEstimator.from_card(head, entry))
    shares: dict[str, list[float]] = {}
    for item in items:
        found = coverage.shares(upscaler, *coverage.pair(item, candidate.kernel, candidate.scale))
        shares.setdefault(item.patient, []).append(found["all"])
    share = float(np.mean([np.mean(own) for own in shares.values()]))
    value = f"{share:.1%} ({len(shares)} patients)"
    yield Check("intervals hold", value, limit, abs(share - COVERAGE) <= MOST_OFF)


def check_phantoms(candidate: Candidate) -> Iterator[Check]:
    """Structures where there are none; those of an adversarial stage may be what its card tells of."""
    methods = {stage: upscaler.predict for stage, upscaler in candidate.stages.items()}
    degradation = make_degradation(candidate.kernel, candidate.scale)
    for stage, scores in score_false_structures(methods, degradation, candidate.scale).items():
        rate = scores["standing_out"]
        stated = _stated_rate(candidate) if candidate.is_adversarial(stage) else 0.0
        limit = f"not in {HALLUCINATION.name} for these weights" if stated is None else f"<= {stated:.1f}"
        yield Check(
            f"{stage}: structures made up on phantoms",
            f"{rate:.1f} per megapixel",
            limit,
            stated is not None and rate <= stated,
        )


def check_geometry(candidate: Candidate) -> Iterator[Check]:
    """Where a blurred dot comes to lie, and whether twice is the same."""
    scale, upscaler = candidate.scale, candidate.stages["final"]
    side = SIZE * scale
    place = np.array([0.47, 0.54]) * (side - 1)
    square = sum((grid - centre) ** 2 for grid, centre in zip(np.mgrid[:side, :side], place, strict=True))
    high = np.exp(-0.5 * square / (SIGMA * scale) ** 2).astype(np.float32)
    low = KERNELS[candidate.kernel](torch.from_numpy(high)[None], scale).numpy()
    finer = upscaler.predict(low)
    shift = float(np.abs(_centre(finer[0]) - _centre(high)).max())
    yield Check("a dot moves", f"{shift:.3f} pixels", f"<= {MOST_SHIFT}", shift <= MOST_SHIFT)
    again = np.array_equal(finer, upscaler.predict(low))
    yield Check("twice gives the same", "yes" if again else "no", "yes", again)


def check_precision(candidate: Candidate) -> Iterator[Check]:
    """Whether precisions below float32 were measured for the weights that are there."""
    stated = candidate.bundle.card.get("precision", {}).get(f"x{candidate.scale}", {})
    value = ", ".join(f"{name} {found['psnr_to_float32']:.0f} dB" for name, found in stated.items()) or "none"
    yield Check("precision was measured", value, "any", bool(stated))


def _scores(
    methods: Mapping[str, Enlarge], items: Sequence[EvaluationItem], scale: int
) -> Iterator[ImageScore]:
    """Of every slice by every method, as `evaluate` scores it but only by what is held to a limit."""
    numbers = {
        patient: number for number, patient in enumerate(dict.fromkeys(item.patient for item in items))
    }
    psnr = CappedPSNRMetric(max_val=1.0)
    for file, item in enumerate(items):
        pairs = load_pairs(item.path, make_degradation("bicubic", scale), scale)
        target = torch.from_numpy(pairs.high)[:, None].double()
        for method, enlarge in methods.items():
            finer = torch.from_numpy(np.asarray(enlarge(pairs.low)).clip(0, 1))[:, None].double()
            errors = spectrum_error(finer, target, min_frequency=0.5 / scale)
            for frame, ratio, error in zip(pairs.frames, psnr(finer, target), errors, strict=True):
                scores = {"psnr": float(ratio), "spectrum_error_high": float(error)}
                yield ImageScore(numbers[item.patient], file, frame, method, scores)


def _stated_rate(candidate: Candidate) -> float | None:
    """What these very final weights were measured to make up on phantoms; None where they were not."""
    name = candidate.bundle.name
    final = candidate.bundle.weights(candidate.scale).sha256
    wanted = {"bundle": name, "scale": candidate.scale, "method": name, "weights_sha256": final}
    for row in json.loads(HALLUCINATION.read_text(encoding="utf-8"))["rows"]:
        if wanted.items() <= row.items():
            return float(row["phantoms"]["standing_out"])
    return None


def _centre(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Centre of what is above half of the largest value, weighted by it."""
    weights = np.clip(image - image.max() / 2, 0, None)
    return np.array(
        [(grid * weights).sum() / weights.sum() for grid in np.mgrid[: image.shape[0], : image.shape[1]]]
    )
