"""Pixelwise intervals that hold a stated share of pixels: conformal prediction with a learned width."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monai_sr.errors import InputError
from monai_sr.intensity import IntensityRange
from monai_sr.intervals import Intervals
from monai_sr.networks import IntervalHead
from monai_sr.volume import Volume

COVERAGE = 0.9
"""Share of the pixels that an interval is to hold."""

CLASSES = 3
"""Of intensity, each with a factor of its own."""

STRIP_PIXELS = 2**16
"""Source pixels whose half-widths are computed together, so that memory stays small."""

Scores = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Of the pixels of one unit: normalised finer intensity, and error over guessed half-width."""


def least_units(coverage: float) -> int:
    """Fewest patients, or images, by which a coverage can be calibrated.

    Of n of them and one more to come, all exchangeable, that one lies below the largest score of the n with a
    probability of n / (n + 1), and nothing is known of what is beyond.

    Args:
        coverage: above 0 and below 1.

    Returns:
        The least n with n / (n + 1) >= `coverage`.

    Raises:
        InputError: if `coverage` is out of range.

    Example:
        >>> least_units(0.9), least_units(0.95)
        (9, 19)
    """
    if not 0 < coverage < 1:
        raise InputError(f"The coverage must be above 0 and below 1, got {coverage:g}.")
    return math.ceil(round(coverage / (1 - coverage), 6))


@dataclass(frozen=True)
class Calibration:
    """What guessed half-widths are multiplied with, so that they hold the stated share of pixels.

    Args:
        coverage: that share.
        levels: normalised intensities, ascending, between which `factors` are interpolated.
        factors: at each of these.
        unit: what counted as one, `patient` or `image`.
        units: how many of them there were.
        kernel: short name of the degradation that made their sources.

    Raises:
        InputError: if there were too few units, or levels and factors cannot be used.
    """

    coverage: float
    levels: tuple[float, ...]
    factors: tuple[float, ...]
    unit: str
    units: int
    kernel: str

    def __post_init__(self) -> None:
        _require_units(self.units, self.unit, self.coverage)
        fits = len(self.levels) == len(self.factors) > 0 and list(self.levels) == sorted(self.levels)
        if not fits or not all(0 < factor < math.inf for factor in self.factors):
            raise InputError("A calibration needs ascending levels and a positive factor for each.")

    @classmethod
    def from_card(cls, entry: Mapping[str, Any]) -> Calibration:
        """That of a bundle's metadata.

        Args:
            entry: of one scale factor.

        Returns:
            The calibration.

        Raises:
            InputError: if something is missing, or cannot be used.
        """
        try:
            return cls(
                float(entry["coverage"]),
                tuple(float(level) for level in entry["levels"]),
                tuple(float(factor) for factor in entry["factors"]),
                str(entry["unit"]),
                int(entry["units"]),
                str(entry["kernel"]),
            )
        except (KeyError, TypeError, ValueError):
            raise InputError(
                "The card's calibration of intervals is damaged: take the bundle anew."
            ) from None

    def factor(self, finer: NDArray[Any]) -> NDArray[np.float32]:
        """Factor of each pixel.

        Args:
            finer: normalised intensities, any shape.

        Returns:
            The same shape; constant beyond the outermost levels, and nowhere with a step.
        """
        return np.asarray(np.interp(finer, self.levels, self.factors), np.float32)


def calibrate(scores: Sequence[Scores], unit: str, kernel: str, coverage: float = COVERAGE) -> Calibration:
    """Find the factors by which intervals hold a share of the pixels, of all and of each class of intensity.

    Scores are pooled, every unit counting the same however many pixels it has. The classes part the pixels
    into thirds by intensity; a factor stands at the median of each, and then all are scaled together so that
    the share of all pixels is exact. What holds for the next patient is the average over patients, as far as
    those of the calibration are like them; see `left_out` for how much it varies.

    Args:
        scores: of each unit.
        unit: what counts as one, `patient` or `image`.
        kernel: short name of the degradation.
        coverage: share of the pixels, above 0 and below 1.

    Returns:
        The calibration.

    Raises:
        InputError: if there are fewer units than `least_units`.

    Reference:
        Dunn, Wasserman and Ramdas, Distribution-free prediction sets for two-layer hierarchical models,
        Journal of the American Statistical Association, 2022.
    """
    _require_units(len(scores), unit, coverage)
    return _fit(scores, unit, len(scores), kernel, coverage)


def left_out(scores: Sequence[Scores], coverage: float = COVERAGE) -> list[float]:
    """Share of each unit's pixels that intervals hold which the others calibrated.

    Args:
        scores: of each unit.
        coverage: stated share.

    Returns:
        One share for each unit.

    Raises:
        InputError: as of `calibrate`.
    """
    _require_units(len(scores), "unit", coverage)
    shares = []
    for index, (finer, score) in enumerate(scores):
        others = [*scores[:index], *scores[index + 1 :]]
        found = _fit(others, "unit", len(scores), "", coverage)
        shares.append(float(np.mean(score <= found.factor(finer))))
    return shares


class IntervalEstimator:
    """Calibrated half-widths of the intervals about finer pixels.

    Args:
        head: guesses them; of the scale factor of the images.
        calibration: of that head on images of that network.

    Example:
        >>> calibration = Calibration(0.9, (0.5,), (2.0,), "patient", 9, "bicubic")
        >>> estimator = IntervalEstimator(IntervalHead(2), calibration)
        >>> estimator(np.zeros((4, 4), np.float32), np.zeros((8, 8), np.float32)).shape
        (8, 8)
    """

    def __init__(self, head: IntervalHead, calibration: Calibration) -> None:
        self._head = head.eval()
        self.calibration = calibration

    @classmethod
    def from_card(cls, head: IntervalHead, entry: Mapping[str, Any]) -> IntervalEstimator:
        """That of a bundle.

        Args:
            head: its head.
            entry: of the card, see `Calibration.from_card`.

        Returns:
            The estimator.

        Raises:
            InputError: if the entry cannot be used.
        """
        return cls(head, Calibration.from_card(entry))

    def __call__(self, low: NDArray[np.float32], finer: NDArray[np.float32]) -> NDArray[np.float32]:
        """Half-widths of one frame.

        Args:
            low: normalised source, shape (H, W).
            finer: normalised super-resolved frame, shape (H·s, W·s).

        Returns:
            Half-widths of normalised values, shape (H·s, W·s).
        """
        return guess(self._head, low, finer) * self.calibration.factor(finer)


class FrameIntervals:
    """The intervals of a volume's finer frames, as these are made.

    Args:
        estimator: gives them in normalised values.
        volume: the source.
        intensity_range: by which its real values are normalised.
        unlike: whether the volume is unlike the images of the calibration.
    """

    def __init__(
        self, estimator: IntervalEstimator, volume: Volume, intensity_range: IntensityRange, unlike: bool
    ) -> None:
        self._estimator, self._range = estimator, intensity_range
        self._slope, self._intercept = volume.slope, volume.intercept
        calibration = estimator.calibration
        self.found = Intervals(calibration.coverage, calibration.kernel, unlike)

    def __call__(
        self, index: int, low: NDArray[np.float32], finer: NDArray[Any], empty: NDArray[np.bool_]
    ) -> None:
        """Put those of a frame where its writer takes them.

        Args:
            index: of the frame.
            low: normalised source, shape (H, W).
            finer: stored values, finite unless all are empty, shape (H·s, W·s).
            empty: finer pixels that hold no image, likewise.
        """
        half_width = np.zeros(finer.shape, np.float32)
        if not empty.all():
            real = finer * self._slope[index] + self._intercept[index]
            half_width = self._estimator(low, self._range.normalize(real).astype(np.float32))
            half_width *= np.float32(self._range.upper - self._range.lower)
            half_width[empty] = 0
        self.found.put(index, half_width, empty)


def guess(head: IntervalHead, low: NDArray[np.float32], finer: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half-widths before they are calibrated, computed strip by strip, which changes nothing.

    Args:
        head: of the scale factor of the images.
        low: normalised source, shape (H, W).
        finer: normalised super-resolved frame, shape (H·s, W·s).

    Returns:
        Shape (H·s, W·s).
    """
    scale, (rows, columns) = head.scale_factor, low.shape
    height = max(1, STRIP_PIXELS // columns)
    found = np.empty(finer.shape, np.float32)
    for first in range(0, rows, height):
        last = min(first + height, rows)
        start, stop = max(0, first - head.RADIUS), min(rows, last + head.RADIUS)
        with torch.inference_mode():
            strip = head(_batch(low[start:stop]), _batch(finer[start * scale : stop * scale]))[0, 0].numpy()
        found[first * scale : last * scale] = strip[(first - start) * scale : (last - start) * scale]
    return found


def _batch(frame: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frame))[None, None]


def _require_units(units: int, unit: str, coverage: float) -> None:
    if units < (least := least_units(coverage)):
        raise InputError(
            f"Intervals of {coverage:.0%} need {least} {unit}s or more to be calibrated, there are {units}: "
            "add some, or state a lower coverage."
        )


def _fit(scores: Sequence[Scores], unit: str, units: int, kernel: str, coverage: float) -> Calibration:
    finer = np.concatenate([intensity for intensity, _ in scores])
    score = np.concatenate([score for _, score in scores])
    weight = np.concatenate([np.full(len(score), 1 / len(score)) for _, score in scores])
    bounds = [_quantile(finer, weight, number / CLASSES) for number in range(1, CLASSES)]
    number = np.searchsorted(bounds, finer, side="right")
    kept = [chosen for chosen in (number == index for index in range(CLASSES)) if chosen.any()]
    levels = [_quantile(finer[chosen], weight[chosen], 0.5) for chosen in kept]
    factors = [_quantile(score[chosen], weight[chosen], coverage) for chosen in kept]
    rest = _quantile(score / np.interp(finer, levels, factors), weight, coverage)
    return Calibration(
        coverage, tuple(levels), tuple(rest * factor for factor in factors), unit, units, kernel
    )


def _quantile(values: NDArray[Any], weight: NDArray[np.float64], share: float) -> float:
    """Least value up to which that share of the weight lies."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    index = int(np.searchsorted(reached, share * reached[-1] * (1 - 1e-12)))
    return float(values[order[min(index, len(order) - 1)]])
