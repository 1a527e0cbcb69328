"""The finer frames of a volume beside their sources, as they are made."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_sr.intensity import IntensityRange
from monai_sr.trust.consistency import TOLERANCE, DataConsistency
from monai_sr.volume import Consistency, Volume

_logger = logging.getLogger(__name__)

FLOAT_UNITS = 4095
"""Steps of the intensity range that stand for stored units where values are floating point."""


class FrameCheck:
    """Measure, and where wanted enforce, the consistency of frames.

    Args:
        consistency: of the volume's range of values.
        unit: of a difference, in stored values: 1 for integers.
        enforce: whether frames are changed.

    Example:
        >>> check = FrameCheck(DataConsistency("binning", 2), 1.0, enforce=False)
        >>> frame = check(0, np.full((4, 4), 7), np.full((2, 2), 5), np.zeros((2, 2), bool))
        >>> check.found[0]
        Consistency(kernel='binning', largest=2.0, rms=2.0, enforced=False, left=0)
    """

    def __init__(self, consistency: DataConsistency, unit: float, enforce: bool) -> None:
        self._consistency = consistency
        self._unit = unit
        self._enforce = enforce
        self._has_warned = False
        self.found: dict[int, Consistency] = {}

    @classmethod
    def of_volume(
        cls,
        volume: Volume,
        intensity_range: IntensityRange,
        floor: float,
        kernel: str,
        scale_factor: int,
        enforce: bool,
    ) -> FrameCheck:
        """The check of a volume's finer frames.

        Args:
            volume: the source.
            intensity_range: of its real values.
            floor: least stored value of finer pixels.
            kernel: short name of the degradation.
            scale_factor: how many times finer the frames are.
            enforce: whether frames are changed.

        Returns:
            The check, in units of the stored values' type.
        """
        whole = np.issubdtype(volume.array.dtype, np.integer)
        span = (intensity_range.upper - intensity_range.lower) / float(np.abs(volume.slope).max())
        unit = 1.0 if whole else span / FLOAT_UNITS
        lower, upper = (float(bound) / unit for bound in volume.stored_range)
        return cls(
            DataConsistency(kernel, scale_factor, max(lower, floor / unit), upper, whole), unit, enforce
        )

    def __call__(
        self, index: int, finer: NDArray[Any], low: NDArray[Any], empty: NDArray[np.bool_]
    ) -> NDArray[Any]:
        """Check a frame.

        Args:
            index: of the frame.
            finer: stored values, shape (H·s, W·s).
            low: stored values of the source, shape (H, W), pixels without an image filled.
            empty: pixels of the source that hold no image, which do not count.

        Returns:
            The frame, changed where that is wanted and some frame agrees with the source, of the same type.
        """
        source = (low / self._unit).astype(np.float32)
        frame = (finer / self._unit).astype(np.float32)
        enforced = False
        if self._enforce:
            agreeing = self._consistency.enforce(frame, source)
            differs = np.abs(self._consistency.residual(agreeing, source)[~empty])
            if enforced := bool((differs <= TOLERANCE).all()):
                frame = agreeing
                finer = (frame.astype(np.float64) * self._unit).astype(finer.dtype)
            else:
                self._warn(index, float(differs.max()))
        residual = self._consistency.residual(frame, source)[~empty]
        if residual.size:
            largest = float(np.abs(residual).max())
            rms = float(np.sqrt(np.mean(np.square(residual, dtype=np.float64))))
            kernel = self._consistency.kernel
            left = int(self._enforce and not enforced)
            self.found[index] = Consistency(kernel, largest * self._unit, rms * self._unit, enforced, left)
        return finer

    def _warn(self, index: int, largest: float) -> None:
        """Say so of the first frame that no change makes agree, since a series has many alike."""
        if not self._has_warned:
            _logger.warning(
                "frame %d cannot be made to agree with its source: the degradation %s hardly made it, and "
                "what comes nearest within the range of values differs by %.3g. It is left as the network "
                "made it, as are others like it",
                index + 1,
                self._consistency.kernel,
                largest * self._unit,
            )
        self._has_warned = True
