"""What every writer asks of a volume before it encodes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_sr.volume import Volume


def check_encodable(
    volume: Volume, frames: int, rows: int, columns: int, dtype: np.dtype[Any], scale_factor: int
) -> None:
    """Compare a volume with the source it is to be encoded like.

    Args:
        volume: what is to be written.
        frames: number of frames of the source.
        rows: rows of the source's frames.
        columns: columns of the source's frames.
        dtype: the source's stored type.
        scale_factor: how many times finer than the source the volume claims to be.

    Raises:
        ValueError: if the shape or the type does not fit.
    """
    shape = (frames, rows * scale_factor, columns * scale_factor)
    if volume.array.shape != shape:
        raise ValueError(
            f"array has shape {volume.array.shape}; give {shape} for scale_factor {scale_factor}"
        )
    if volume.array.dtype != dtype:
        raise ValueError(f"array is {volume.array.dtype}; give the source's stored type {dtype}")


def stored_frame(volume: Volume, index: int) -> NDArray[Any]:
    """One frame to encode.

    Args:
        volume: what is to be written.
        index: of the frame, from 0.

    Returns:
        Stored values, shape [rows, columns].

    Raises:
        ValueError: if a value is outside `stored_range`, which the encoding cannot hold.
    """
    frame = volume.array[index]
    least, greatest = volume.stored_range
    if np.isfinite(least) and (frame.min() < least or frame.max() > greatest):
        raise ValueError(f"array has values outside {least} to {greatest}; clip it to stored_range")
    return frame
