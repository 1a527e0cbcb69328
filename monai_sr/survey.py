"""What is known of a volume before it is super-resolved."""

from __future__ import annotations

import logging

import numpy as np

from monai_sr.errors import InputError
from monai_sr.intensity import IntensityRange
from monai_sr.volume import Volume, without_image

_logger = logging.getLogger(__name__)


def survey(volume: Volume) -> tuple[IntensityRange, float]:
    """Intensity range of the pixels of a volume that hold an image, and the least value of its output.

    A sharp edge overshoots; where no stored value is negative, as in a magnitude image, none becomes so.

    Args:
        volume: frames in stored values, each of which is read once.

    Returns:
        The range, in real values, and the least stored value of finer pixels.

    Raises:
        InputError: if no pixel is finite.
    """
    n_image = n_not_finite = 0
    floor = 0.0

    def image(index: int) -> np.ndarray:
        nonlocal n_image, n_not_finite, floor
        stored = volume.array[index]
        there = ~without_image(stored, volume.padding)
        if (stored[there] < 0).any():
            floor = -np.inf
        n_image += int(there.sum())
        n_not_finite += int((~np.isfinite(stored)).sum())
        real: np.ndarray = stored[there] * volume.slope[index] + volume.intercept[index]
        return real

    count, rows, columns = volume.array.shape
    intensity_range = IntensityRange.from_frames(map(image, range(count)), count * rows * columns)
    if n_not_finite:
        if not n_image:
            raise InputError(f"{volume.path} has no pixel of finite value: check how it was made.")
        _logger.warning(
            "%s: %d pixels are not finite; they keep their stored value", volume.path, n_not_finite
        )
    return intensity_range, floor
