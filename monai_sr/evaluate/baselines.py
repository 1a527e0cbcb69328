"""Interpolations that every network is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F


def bicubic(frames: NDArray[Any], scale_factor: int) -> NDArray[np.float32]:
    """Keys' bicubic interpolation (a = -0.5, as MATLAB's and Pillow's) of the same field of view.

    Args:
        frames: shape [n, rows, columns].
        scale_factor: integer >= 1.

    Returns:
        Frames of shape [n, scale_factor x rows, scale_factor x columns].

    Raises:
        ValueError: if `scale_factor` < 1 or `frames` is not [n, rows, columns].

    Example:
        >>> bicubic(np.ones((2, 4, 5)), scale_factor=2).shape
        (2, 8, 10)
    """
    _check(frames, scale_factor)
    rows, columns = frames.shape[1:]
    # Only with antialias=True does PyTorch use a = -0.5; going up, that is its only effect.
    finer = F.interpolate(
        torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32))[:, None],
        size=(rows * scale_factor, columns * scale_factor),
        mode="bicubic",
        align_corners=False,
        antialias=True,
    )
    return np.asarray(finer[:, 0].numpy())


def lanczos(frames: NDArray[Any], scale_factor: int) -> NDArray[np.float32]:
    """Lanczos interpolation with three lobes, Pillow's, of the same field of view.

    Args:
        frames: shape [n, rows, columns].
        scale_factor: integer >= 1.

    Returns:
        Frames of shape [n, scale_factor x rows, scale_factor x columns].

    Raises:
        ValueError: if `scale_factor` < 1 or `frames` is not [n, rows, columns].
    """
    _check(frames, scale_factor)
    rows, columns = frames.shape[1:]
    size = (columns * scale_factor, rows * scale_factor)
    finer = np.empty((len(frames), *reversed(size)), dtype=np.float32)
    for index, frame in enumerate(frames):
        image = Image.fromarray(np.ascontiguousarray(frame, dtype=np.float32))
        finer[index] = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
    return finer


def bspline(frames: NDArray[Any], scale_factor: int) -> NDArray[np.float32]:
    """Cubic B-spline interpolation, SimpleITK's, of the same field of view.

    Args:
        frames: shape [n, rows, columns].
        scale_factor: integer >= 1.

    Returns:
        Frames of shape [n, scale_factor x rows, scale_factor x columns].

    Raises:
        ValueError: if `scale_factor` < 1 or `frames` is not [n, rows, columns].
    """
    _check(frames, scale_factor)
    rows, columns = frames.shape[1:]
    grid = SimpleITK.Image(columns * scale_factor, rows * scale_factor, SimpleITK.sitkFloat32)
    grid.SetSpacing([1 / scale_factor] * 2)
    # The first finer pixel's centre, in pixels from that of the first pixel.
    grid.SetOrigin([(1 / scale_factor - 1) / 2] * 2)
    finer = np.empty((len(frames), rows * scale_factor, columns * scale_factor), dtype=np.float32)
    for index, frame in enumerate(frames):
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(frame, dtype=np.float32))
        finer[index] = SimpleITK.GetArrayFromImage(
            SimpleITK.Resample(image, grid, SimpleITK.Transform(), SimpleITK.sitkBSpline)
        )
    return finer


BASELINES = {"bicubic": bicubic, "lanczos": lanczos, "bspline": bspline}
"""Method -> interpolation, in the order of the tables."""


def _check(frames: NDArray[Any], scale_factor: int) -> None:
    if scale_factor < 1:
        raise ValueError(f"scale_factor is {scale_factor}; give an integer of at least 1")
    if frames.ndim != 3:
        raise ValueError(f"frames has shape {frames.shape}; give [n, rows, columns]")
