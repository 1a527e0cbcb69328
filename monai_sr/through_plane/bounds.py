"""Finer slices that stay within what can be stored and give their slices again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_sr.intensity import IntensityRange
from monai_sr.through_plane.grid import SliceGrid
from monai_sr.volume import Volume

MOST_TURNS = 100
"""Each takes away at least one part in the ratio of the samplings of what is still missing."""

HIDDEN = 0.25
"""Stored units by which finer slices may miss their slices before they are rounded."""

LARGEST_HIDDEN = 1e-4
"""The same as a share of the intensity range, for units that are large."""


def keep_within(
    finer: NDArray[np.float32],
    slices: NDArray[np.float32],
    grid: SliceGrid,
    least: NDArray[np.float32],
    most: NDArray[np.float32],
    tolerance: float,
) -> None:
    """Bring finer slices between bounds, and what that takes from one to the others of its slice, in place.

    Cut off alone, what overshoots a bound would be missing in the mean: finer slices would contradict theirs.
    The two demands are met in turns, each by the least change.

    Args:
        finer: shape (fine, H, W), contiguous.
        slices: what they are to give, shape (coarse, H, W), between the bounds.
        grid: both samplings.
        least: of each finer slice, shape (fine,); -inf for none.
        most: likewise; inf for none.
        tolerance: difference from `slices` that may stay.

    Reference:
        von Neumann, Functional Operators, volume II, 1950: alternating projections.

    Example:
        >>> finer = np.array([9, -4, -5, 4, 5, 6], np.float32).reshape(6, 1, 1)
        >>> slices = np.array([0, 5], np.float32).reshape(2, 1, 1)
        >>> keep_within(finer, slices, SliceGrid(2, 6), np.zeros(6), np.full(6, np.inf), 1e-3)
        >>> (finer[:, 0, 0].round(2) + 0).tolist()
        [0.0, 0.0, 0.0, 4.0, 5.0, 6.0]
    """
    degradation = grid.degradation.astype(np.float32)
    back = np.linalg.pinv(grid.degradation).astype(np.float32)
    columns, wanted = finer.reshape(grid.fine, -1), slices.reshape(grid.coarse, -1)
    least, most = least[:, None], most[:, None]
    np.clip(columns, least, most, out=columns)
    open_ones = np.arange(columns.shape[1])
    for _ in range(MOST_TURNS):
        missing = wanted[:, open_ones] - degradation @ columns[:, open_ones]
        still = (np.abs(missing) > tolerance).any(0)
        open_ones, missing = open_ones[still], missing[:, still]
        if not open_ones.size:
            break
        columns[:, open_ones] = np.clip(columns[:, open_ones] + back @ missing, least, most)


def bounds(
    volume: Volume, grid: SliceGrid, intensity_range: IntensityRange, floor: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """What finer slices of a volume are kept within.

    Args:
        volume: the slices.
        grid: both samplings.
        intensity_range: by which real values are normalised.
        floor: least stored value.

    Returns:
        Least and greatest normalised intensity of each finer slice, and the tolerance of `keep_within`.
    """
    lowest, highest = volume.stored_range
    slope, intercept = volume.slope[grid.nearest], volume.intercept[grid.nearest]
    ends = [
        intensity_range.normalize(end * slope + intercept).astype(np.float32)
        for end in (max(lowest, floor), highest)
    ]
    hidden = HIDDEN * float(np.abs(volume.slope).min()) / (intensity_range.upper - intensity_range.lower)
    return np.minimum(*ends), np.maximum(*ends), min(hidden, LARGEST_HIDDEN)
