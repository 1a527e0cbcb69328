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
from monai_sr.evaluate.lesions import LESION_CONVENTION, LESION_METRICS, Enlarge, Frames, score_lesions
from monai_sr.evaluate.pairs import Degradation, Pairs
from monai_sr.metrics.error_split import error_split
from monai_sr.metrics.fourier_ring import STRUCTURE, THRESHOLD, cutoff_map
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
        pred: by the method, shape (H, W).
        target: the original.
        maps: where they differ.
        title: which slice it is; names no patient.
    """

    pred: NDArray[np.float32]
    target: NDArray[np.float32]
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
            lesions = score_lesions(
                pairs.high[index], self._enlarge, self._degradation, self._scale_factor, self._n_slices
            )
        scores = {}
        for name, frames in methods.items():
            maps = slice_maps(frames[index], methods[BASELINE][index], pairs.high[index], self._scale_factor)
            scores[name] = maps.scores() | lesions[name]
            if name in self._upscalers:
                self._keep(name, Suspect(frames[index], pairs.high[index], maps, f"{name}: {title}"))
        return scores

    def _keep(self, name: str, suspect: Suspect) -> None:
        if name not in self.suspects or suspect.share > self.suspects[name].share:
            # Copies, or a slice would keep its whole volume in memory.
            self.suspects[name] = replace(suspect, pred=suspect.pred.copy(), target=suspect.target.copy())


def _evenly_spaced(length: int, count: int) -> set[int]:
    """The middles of `count` equal stretches."""
    return {int((number + 0.5) * length / count) for number in range(count)}


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if values.size else math.nan
