"""What a method shows that is not there: the measures of one slice, their titles and conventions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monai_sr.evaluate.baselines import BASELINES
from monai_sr.evaluate.examples import BASELINE
from monai_sr.evaluate.lesions import (
    LESION_CONVENTION,
    LESION_METRICS,
    Enlarge,
    Frames,
    mean_scores,
    read_lesions,
)
from monai_sr.evaluate.pairs import Degradation, Pairs
from monai_sr.metrics.error_split import error_split
from monai_sr.metrics.fourier_ring import STRUCTURE, THRESHOLD, cutoff_map, patch_starts
from monai_sr.report import hallucination_figure, save_figure

SPLIT_PATCH = 2
RING_PATCH = 16
"""In low-resolution pixels."""
CONTRADICTED = 0.5
"""Share of the low-resolution Nyquist frequency up to which a patch has to agree with the original."""
LESION_SLICES = 2
"""Of each file, evenly spaced: every lesion is enlarged with many noises."""

SLICE_METRICS = {
    "improved": "improved",
    "omitted": "omitted",
    "hallucinated": "hallucinated",
    "frc_cutoff": "FRC cut-off",
    "frc_flagged": "FRC flagged",
}
HALLUCINATION_METRICS = SLICE_METRICS | LESION_METRICS
HALLUCINATION_CONVENTIONS = {
    "improved, omitted, hallucinated": "of what is missing in bicubic and of what a method adds to it, in "
    f"patches of {SPLIT_PATCH} x {SPLIT_PATCH} low-resolution pixels, the shares that were found, left out "
    "and made up; bicubic omits everything by definition, and noise of the original cannot be found",
    "FRC cut-off, FRC flagged": "scanning Fourier ring correlation with the original, patches of "
    f"{RING_PATCH} x {RING_PATCH} low-resolution pixels, half overlapping, those of a standard deviation "
    f"below {STRUCTURE:g} left out. Cut-off: mean frequency where the correlation falls below {THRESHOLD:g}, "
    "in units of the low-resolution Nyquist frequency; flagged: share of patches where that is below "
    f"{CONTRADICTED:g}",
    "lesions": LESION_CONVENTION,
}
"""Name -> sentence, for an evaluation that measured them."""


@dataclass(frozen=True, eq=False)
class SliceMaps:
    """Where one slice by one method differs from the original.

    Args:
        split: what `error_split` gives, shape (3, P, Q).
        cutoff: what `cutoff_map` gives, in units of the low-resolution Nyquist frequency.
    """

    split: NDArray[np.float64]
    cutoff: NDArray[np.float64]

    def scores(self) -> dict[str, float]:
        """Value for each key of `SLICE_METRICS`; NaN where no patch has structure."""
        parts = self.split.sum(axis=(1, 2))
        known = self.cutoff[np.isfinite(self.cutoff)]
        shares = (parts / parts.sum()).tolist() if parts.any() else [math.nan] * 3
        return dict(zip(SLICE_METRICS, (*shares, _mean(known), _mean(known < CONTRADICTED)), strict=True))

    def on_pixels(self, shape: tuple[int, ...], scale_factor: int) -> dict[str, NDArray[np.float64]]:
        """The maps pixel for pixel, as a page shows them.

        Args:
            shape: of the slice, (H, W).
            scale_factor: of the maps.

        Returns:
            Key of `monai_sr.report.layers.LAYERS` -> each pixel's patch, of overlapping ones the one whose
            middle is nearest, shape (H, W).
        """
        split = np.ix_(*(np.arange(size) // (SPLIT_PATCH * scale_factor) for size in shape))
        ring = np.ix_(*(_nearest_patch(size, RING_PATCH * scale_factor) for size in shape))
        _, omitted, hallucinated = self.split
        return {"omitted": omitted[split], "hallucinated": hallucinated[split], "cutoff": self.cutoff[ring]}


def slice_maps(
    pred: NDArray[Any], interpolated: NDArray[Any], target: NDArray[Any], scale_factor: int
) -> SliceMaps:
    """Compare a slice with its original, patch by patch.

    Args:
        pred: by the method, shape (H, W), values in [0, 1], each side at least 16 x scale_factor.
        interpolated: by bicubic interpolation, of the same shape and range.
        target: the original, of the same shape and range.
        scale_factor: integer >= 1.

    Returns:
        The maps.

    Raises:
        ValueError: if the shapes differ or are too small.
    """
    image, low, high = (torch.from_numpy(np.ascontiguousarray(a)) for a in (pred, interpolated, target))
    nyquist = 0.5 / scale_factor
    return SliceMaps(
        error_split(image, low, high, SPLIT_PATCH * scale_factor).numpy(),
        cutoff_map(image, high, RING_PATCH * scale_factor).numpy() / nyquist,
    )


@dataclass(frozen=True, eq=False)
class Suspect:
    """A slice of which much was made up by one method.

    Args:
        low: what the methods got, shape (H / s, W / s).
        interpolated: by bicubic interpolation, shape (H, W).
        pred: by the method, as `interpolated`.
        target: the original, as `interpolated`.
        maps: where they differ.
        title: which slice it is; names no patient.
    """

    low: Frames
    interpolated: Frames
    pred: Frames
    target: Frames
    maps: SliceMaps
    title: str

    @property
    def share(self) -> float:
        """Hallucinated share, -1 where nothing differs."""
        return float(np.nan_to_num(self.maps.scores()["hallucinated"], nan=-1))

    def draw(self, path: Path) -> None:
        """Write the figure of this slice as PNG.

        Args:
            path: file to write.
        """
        split, cutoff = self.maps.split, self.maps.cutoff
        save_figure(hallucination_figure(self.target, self.pred, split, cutoff, self.title), path)


class HallucinationTests:
    """Every measure of what methods make up, for one slice after the other.

    Args:
        predict: name of an upscaler -> what enlarges low-resolution frames.
        degradation: deterministic, from (1, H, W) to (1, H / scale_factor, W / scale_factor).
        scale_factor: integer >= 2.

    Attributes:
        suspects: of each upscaler, the slice with the largest hallucinated share so far.
        placements: of bicubic and each upscaler, those of every lesion's answers so far.
    """

    def __init__(self, predict: Mapping[str, Enlarge], degradation: Degradation, scale_factor: int) -> None:
        self._enlarge: dict[str, Enlarge] = {
            name: partial(interpolate, scale_factor=scale_factor) for name, interpolate in BASELINES.items()
        }
        self._enlarge |= predict
        self._upscalers = set(predict)
        self._degradation, self._scale_factor = degradation, scale_factor
        self._n_slices = 0
        self.suspects: dict[str, Suspect] = {}
        self.placements: dict[str, list[float]] = {name: [] for name in (BASELINE, *predict)}

    def __call__(
        self, pairs: Pairs, index: int, methods: Mapping[str, Frames], title: str
    ) -> dict[str, dict[str, float]]:
        """Measure one slice by every method.

        Args:
            pairs: slices of one file.
            index: which of them, from 0.
            methods: name -> all of the file's slices, values in [0, 1]; the baselines' among them.
            title: which slice it is; names no patient.

        Returns:
            Method -> key of `HALLUCINATION_METRICS` -> value; NaN for lesions in most slices.
        """
        self._n_slices += 1
        lesions = dict.fromkeys(methods, dict.fromkeys(LESION_METRICS, math.nan))
        if index in _evenly_spaced(len(pairs.frames), LESION_SLICES):
            found = read_lesions(
                pairs.high[index], self._enlarge, self._degradation, self._scale_factor, self._n_slices
            )
            lesions = {name: mean_scores(readings) for name, readings in found.items()}
            for name, pooled in self.placements.items():
                pooled += [value for reading in found[name] for value in reading.placements.tolist()]
        scores, interpolated = {}, methods[BASELINE][index]
        for name, frames in methods.items():
            images = pairs.low[index], interpolated, frames[index], pairs.high[index]
            maps = slice_maps(frames[index], interpolated, pairs.high[index], self._scale_factor)
            scores[name] = maps.scores() | lesions[name]
            if name in self._upscalers:
                self._keep(name, Suspect(*images, maps, f"{name}: {title}"))
        return scores

    def _keep(self, name: str, suspect: Suspect) -> None:
        if name not in self.suspects or suspect.share > self.suspects[name].share:
            # Copies, or a slice would keep its whole volume in memory.
            images = {key: getattr(suspect, key).copy() for key in ("low", "interpolated", "pred", "target")}
            self.suspects[name] = replace(suspect, **images)


def _evenly_spaced(length: int, count: int) -> set[int]:
    """The middles of `count` equal stretches."""
    return {int((number + 0.5) * length / count) for number in range(count)}


def _nearest_patch(size: int, patch: int) -> NDArray[np.intp]:
    """Of each pixel along an axis, the number of the patch of `cutoff_map` whose middle is nearest."""
    middles = np.add(patch_starts(size, patch), patch / 2)
    return np.asarray(np.abs(np.arange(size)[:, None] + 0.5 - middles).argmin(axis=1))


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if values.size else math.nan
