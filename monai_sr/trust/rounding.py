"""Rounding that a coarser sampling hardly sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

Frame = NDArray[np.float32]


def round_in_blocks(frame: Frame, scale_factor: int) -> Frame:
    """Round so that the sum of each block changes by no more than a half.

    Args:
        frame: shape (H, W), multiples of `scale_factor`.
        scale_factor: side of a block.

    Returns:
        Whole numbers, each the one below or above; those with the largest fractions are rounded up.

    Example:
        >>> round_in_blocks(np.full((2, 2), 0.5, np.float32), 2).sum()
        np.float32(2.0)
    """
    below = np.floor(frame)
    fractions = _blocks(frame - below, scale_factor)
    count = np.rint(fractions.sum(-1, keepdims=True))
    rank = np.argsort(np.argsort(-fractions, -1, kind="stable"), -1)
    return below + _unblocked((rank < count).astype(np.float32), scale_factor)


def mend(whole: Frame, exact: Frame, residual: Frame, tolerance: float, bounds: tuple[float, float]) -> Frame:
    """Change by one a finer pixel under each coarse one that rounding put off by too much.

    Args:
        whole: rounded pixels, shape (H·s, W·s).
        exact: what they were before.
        residual: of the coarse pixels, shape (H, W).
        tolerance: largest residual that is none.
        bounds: least and greatest value of a finer pixel.

    Returns:
        The changed frame; of neighbouring coarse pixels only the worst is seen to.
    """
    size = np.abs(residual)
    worst = (size > tolerance) & (size == maximum_filter(size, 3))
    scale = len(whole) // len(residual)
    change = -np.sign(residual)[..., None]
    blocks, error = _blocks(whole, scale), _blocks(whole - exact, scale)
    changed = blocks + change
    # The pixel that was rounded the other way by most.
    error = np.where((changed >= bounds[0]) & (changed <= bounds[1]), -change * error, -np.inf)
    chosen = worst[..., None] & (np.arange(scale**2) == error.argmax(-1)[..., None]) & np.isfinite(error)
    return whole + _unblocked(np.where(chosen, change, 0).astype(np.float32), scale)


def _blocks(frame: Frame, side: int) -> Frame:
    """(H, W) as (H / side, W / side, side²)."""
    rows, columns = (size // side for size in frame.shape)
    blocks = frame.reshape(rows, side, columns, side).swapaxes(1, 2)
    return np.asarray(blocks.reshape(rows, columns, side * side))


def _unblocked(blocks: Frame, side: int) -> Frame:
    rows, columns = blocks.shape[:2]
    frame = blocks.reshape(rows, columns, side, side).swapaxes(1, 2)
    return np.asarray(frame.reshape(rows * side, columns * side))
