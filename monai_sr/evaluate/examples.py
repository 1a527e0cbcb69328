"""Slices that stand for many: each patient's of median gain, and the worst of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monai_sr.evaluate.pairs import Pairs
from monai_sr.evaluate.statistics import ImageScore
from monai_sr.report import evaluation_figure, save_figure

BASELINE = "bicubic"

Frames = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Example:
    """One slice by one upscaler.

    Args:
        method: name of the upscaler.
        gain: its PSNR less that of the baseline, in dB.
        low: shape (H, W).
        bicubic: shape (s H, s W), values in [0, 1].
        sr: super-resolved, as `bicubic`.
        high: reference, as `bicubic`.
        title: which slice it is; names no patient.
    """

    method: str
    gain: float
    low: Frames
    bicubic: Frames
    sr: Frames
    high: Frames
    title: str

    def draw(self, path: Path) -> None:
        """Write the figure of this slice as PNG.

        Args:
            path: file to write.
        """
        save_figure(evaluation_figure(self.low, self.bicubic, self.sr, self.high, self.title), path)


def file_examples(
    scores: Sequence[ImageScore],
    pairs: Pairs,
    methods: Mapping[str, Frames],
    upscaler: str,
    patient: int,
    file: int,
) -> tuple[Example, Example]:
    """Of one file, the slices of least and of median gain by one upscaler.

    Args:
        scores: of the file's slices by every method.
        pairs: the slices.
        methods: every method's slices.
        upscaler: name of the method.
        patient: number.
        file: number.

    Returns:
        The worst and the median slice.
    """
    gains = _gains(upscaler, scores)
    order = np.argsort(gains, kind="stable")

    def example(index: int) -> Example:
        # Copies, or the figure's slice would keep the whole volume in memory.
        return Example(
            method=upscaler,
            gain=float(gains[index]),
            low=pairs.low[index].copy(),
            bicubic=methods[BASELINE][index].copy(),
            sr=methods[upscaler][index].copy(),
            high=pairs.high[index].copy(),
            title=f"{upscaler}: patient {patient}, file {file}, slice {pairs.frames[index]}: "
            f"{gains[index]:+.2f} dB over bicubic",
        )

    return example(int(order[0])), example(int(order[(len(order) - 1) // 2]))


def nearest_to_median(upscaler: str, scores: Sequence[ImageScore], examples: Sequence[Example]) -> Example:
    """Of a method's median slices of each file, the one nearest to the patient's median gain.

    Args:
        upscaler: name of the method.
        scores: of the patient's slices by every method.
        examples: at least one of this method.

    Returns:
        The example.
    """
    median = float(np.median(_gains(upscaler, scores)))
    own = [example for example in examples if example.method == upscaler]
    return min(own, key=lambda example: abs(example.gain - median))


def _gains(upscaler: str, scores: Sequence[ImageScore]) -> NDArray[np.float64]:
    psnr = {
        name: [score.scores["psnr"] for score in scores if score.method == name]
        for name in (upscaler, BASELINE)
    }
    return np.subtract(psnr[upscaler], psnr[BASELINE])
