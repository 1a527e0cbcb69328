"""How finer slices agree with the slices that they were found from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_sr.through_plane.grid import SliceGrid
from monai_sr.volume import Consistency, Volume


def agreement(
    finer: Volume, volume: Volume, empty: NDArray[np.bool_], grid: SliceGrid
) -> dict[int, Consistency]:
    """How much the finer slices, degraded again, differ from the slice that each of them lies in.

    Args:
        finer: what was found.
        volume: the slices.
        empty: pixels of `volume` that hold no image, shape (coarse, rows, columns); they do not count.
        grid: of both.

    Returns:
        Number of the finer slice -> greatest and RMS difference, in stored units; none if not finite.
    """
    found: dict[int, Consistency] = {}
    for index, weights in enumerate(grid.degradation):
        seen = np.flatnonzero(weights)
        real = sum(weights[number] * finer.real_frame(number) for number in seen.tolist())
        difference = ((real - volume.real_frame(index)) / volume.slope[index])[~empty[index]]
        if difference.size and np.isfinite(difference).all():
            one = Consistency(
                f"{grid.profile} slice profile",
                float(np.abs(difference).max()),
                float(np.sqrt(np.mean(difference**2))),
            )
            found |= {int(number): one for number in np.flatnonzero(grid.nearest == index)}
    return found
