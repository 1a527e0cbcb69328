"""The intensity range of an image: to [0, 1] for the network and exactly back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

LOWER_PERCENTILE = 0.1
UPPER_PERCENTILE = 99.9
MAX_SAMPLES = 2**21
"""Most pixels that percentiles are taken of; the rank of the 0.1 percentile then errs by about 2%."""


@dataclass(frozen=True)
class IntensityRange:
    """Two intensities that are mapped to 0 and 1; values outside are kept, not clipped.

    Args:
        lower: intensity mapped to 0, in the image's units.
        upper: intensity mapped to 1, in the image's units; above `lower`.

    Raises:
        ValueError: if the range is empty or not finite.

    Example:
        >>> IntensityRange(100.0, 300.0).normalize(np.array([100, 200, 400]))
        array([0. , 0.5, 1.5])
    """

    lower: float
    upper: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.lower) and np.isfinite(self.upper) and self.lower < self.upper):
            raise ValueError(f"lower must be below upper and both finite, got {self.lower} and {self.upper}.")

    @classmethod
    def from_array(
        cls, array: np.ndarray, lower: float = LOWER_PERCENTILE, upper: float = UPPER_PERCENTILE
    ) -> IntensityRange:
        """Range between two percentiles, which a few extreme voxels cannot move.

        Args:
            array: image of any shape; values that are not finite are left out.
            lower: percentile mapped to 0, in [0, 100].
            upper: percentile mapped to 1, in [0, 100].

        Returns:
            The range. Where the percentiles coincide (an almost empty image) the extremes are taken; a
            constant image becomes 0.
        """
        finite = array[np.isfinite(array)]
        if finite.size == 0:
            return cls(0.0, 1.0)
        # Between two integers NumPy would interpolate in their own type, which may overflow.
        finite = finite.astype(np.float64, copy=False)
        low, high = (float(value) for value in np.percentile(finite, [lower, upper]))
        if low == high:
            low, high = float(finite.min()), float(finite.max())
        if low == high:
            high = low + max(1.0, abs(low))  # wide enough to differ in double precision
        return cls(low, high)

    @classmethod
    def from_frames(cls, frames: Iterable[np.ndarray], pixels: int) -> IntensityRange:
        """Range between two percentiles of a series too large to be in memory at once.

        Args:
            frames: the frames' pixels, one frame at a time.
            pixels: how many there are in all.

        Returns:
            What `from_array` gives of all of them; above `MAX_SAMPLES`, of every k-th pixel of each frame.
        """
        step = -(-pixels // MAX_SAMPLES)
        samples = [np.ravel(frame)[::step].astype(np.float64) for frame in frames]
        return cls.from_array(np.concatenate(samples) if samples else np.empty(0))

    def normalize(self, array: np.ndarray) -> np.ndarray:
        """Map intensities to about [0, 1].

        Args:
            array: intensities in the image's units, any shape and type.

        Returns:
            float64 array of the same shape. Double precision makes the way back exact for every stored
            integer of up to 32 bits and for float32.
        """
        return (array.astype(np.float64) - self.lower) / (self.upper - self.lower)

    def restore(self, array: np.ndarray) -> np.ndarray:
        """Map normalised values back to the image's units.

        Args:
            array: normalised values, any shape.

        Returns:
            float64 array of the same shape, not rounded.
        """
        return array.astype(np.float64) * (self.upper - self.lower) + self.lower
