"""How wide the intervals about finer pixels are: of a frame, as it is made, and in a number for a reader."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class IntervalWidth:
    """How wide the intervals of some frames are.

    Args:
        coverage: share of the pixels that they are to hold, from 0 to 1.
        kernel: short name of the degradation on which that was calibrated.
        median: half-width of the pixels that hold an image, in real values; the mean over frames.
        unlike: whether the image is unlike those of the calibration, so that they may hold another share.
    """

    coverage: float
    kernel: str
    median: float
    unlike: bool = False

    def __str__(self) -> str:
        """For a reader."""
        return (
            f"its {self.coverage:.0%} interval, calibrated on images made coarser ({self.kernel}), is +- "
            f"{self.median:.3g} in the median, in real values"
            + ", but not calibrated for images unlike those, as this one"
            * self.unlike
        )


class Intervals:
    """Half-widths of the intervals of a volume's frames, each made with its frame and then taken once.

    Args:
        coverage: share of the pixels that they are to hold.
        kernel: short name of the degradation on which that was calibrated.
        unlike: whether the volume is unlike the images of the calibration.

    Example:
        >>> intervals = Intervals(0.9, "kspace")
        >>> intervals.put(0, np.full((2, 2), 3.0, np.float32), np.zeros((2, 2), bool))
        >>> intervals.take(0).tolist(), intervals.width([0])
        ([[3.0, 3.0], [3.0, 3.0]], IntervalWidth(coverage=0.9, kernel='kspace', median=3.0, unlike=False))
    """

    def __init__(self, coverage: float, kernel: str, unlike: bool = False) -> None:
        self.coverage, self.kernel, self.unlike = coverage, kernel, unlike
        self._made: dict[int, NDArray[np.float32]] = {}
        self._medians: dict[int, float] = {}

    def put(self, index: int, half_width: NDArray[np.float32], empty: NDArray[np.bool_]) -> None:
        """Keep those of a frame until they are taken.

        Args:
            index: of the frame.
            half_width: in real values, shape [rows, columns].
            empty: pixels that hold no image, same shape.
        """
        self._made[index] = half_width
        if not empty.all():
            self._medians[index] = float(np.median(half_width[~empty]))

    def take(self, index: int) -> NDArray[np.float32]:
        """Half-widths of a frame, which are then no longer kept.

        Args:
            index: of a frame that was made.

        Returns:
            Real values, shape [rows, columns]; 0 where there is no image.
        """
        return self._made.pop(index)

    def width(self, frames: list[int] | None = None) -> IntervalWidth | None:
        """How wide they are.

        Args:
            frames: those to look at, of which were made; all by default.

        Returns:
            None where none of them holds an image.
        """
        found = [median for index, median in self._medians.items() if frames is None or index in frames]
        if not found:
            return None
        return IntervalWidth(self.coverage, self.kernel, float(np.mean(found)), self.unlike)
