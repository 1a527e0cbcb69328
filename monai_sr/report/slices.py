"""Which slices of a volume a page shows, and which part of a large one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_sr.report.comparison import MAX_SIDE, Comparison, Encoded, Picture, encode
from monai_sr.report.parts import most_varied_part
from monai_sr.volume import Frames, Volume, fill_nearest

MAX_SLICES = 24
MAX_BYTES = 40 * 2**20
"""Largest size of the images in a page, as text."""

MARGIN = 8
"""Pixels around a part that take part in its interpolation; more than any of its kernels reaches."""

COARSE_SIDE = 256
"""The part to show is looked for in an image of at most about so many rows and columns."""

Interpolation = Callable[[NDArray[Any], int], NDArray[Any]]
"""From frames [n, rows, columns] and a scale factor to the finer frames."""


def encode_volumes(
    low: Volume,
    high: Volume,
    scale_factor: int,
    interpolate: Interpolation,
    half_width: Frames | None = None,
    notes: Mapping[int, str] | None = None,
) -> tuple[list[Encoded], str]:
    """Turn evenly chosen slices of a volume before and after into text, one slice in memory at a time.

    Args:
        low: as it was read.
        high: the same field of view, `scale_factor` times finer.
        scale_factor: integer >= 1.
        interpolate: what super-resolution is compared with.
        half_width: of the interval about each finer pixel, of the shape of `high`, in real values.
        notes: what was measured of a slice, by its index.

    Returns:
        The slices, at most `MAX_SLICES` of them and `MAX_BYTES` in all but for a single one, and a sentence
        on what is shown.

    Raises:
        ValueError: if the volumes do not fit each other.
    """
    count, rows, columns = low.array.shape
    if high.array.shape != (count, rows * scale_factor, columns * scale_factor):
        raise ValueError(f"high has shape {high.array.shape}; give low's, {scale_factor} times finer")
    if half_width is not None and half_width.shape != high.array.shape:
        raise ValueError(f"half_width has shape {half_width.shape}; give high's, {high.array.shape}")
    part = _part(low.array[count // 2], MAX_SIDE // scale_factor)
    there = tuple(slice(axis.start * scale_factor, axis.stop * scale_factor) for axis in part)

    def encoded(index: int) -> Encoded:
        comparison = _compare(low, high, index, part, scale_factor, interpolate)
        maps = {}
        if half_width is not None:
            empty = high.without_image(index)[there]
            maps["interval"] = np.where(empty, np.nan, half_width[index][there])
        return encode(replace(comparison, maps=maps, note=(notes or {}).get(index, "")))

    fitting = MAX_BYTES // max(encoded(count // 2).size, 1)
    wanted = min(count, MAX_SLICES, max(fitting, 1))
    # The middle of each of equal stretches: neither end of the volume is favoured.
    chosen = [int((number + 0.5) * count / wanted) for number in range(wanted)]
    slices = limit([encoded(index) for index in chosen])
    return slices, _describe(len(slices), low.array.shape, part)


def _describe(shown: int, shape: tuple[int, ...], part: tuple[slice, slice]) -> str:
    """A sentence on which pixels of a volume are shown."""
    count, rows, columns = shape
    text = f"all {count} slices" if shown == count else f"{shown} of {count} slices, evenly spaced"
    text = "the only slice" if count == 1 else text
    across, down = part[1], part[0]
    if down.stop - down.start == rows and across.stop - across.start == columns:
        return text
    return (
        f"{text}; of the whole field the part that varies most, rows {down.start + 1} to {down.stop} "
        f"of {rows} and columns {across.start + 1} to {across.stop} of {columns} before super-resolution"
    )


def limit(slices: list[Encoded], wanted: int = 1) -> list[Encoded]:
    """Leave out every second slice until the rest fits into a page.

    Args:
        slices: at least one.
        wanted: of the first so many, none is left out before all others are.

    Returns:
        Those that stay, at least the first.
    """
    for kept in (wanted, 1):
        while len(slices) > kept and sum(encoded.size for encoded in slices) > MAX_BYTES:
            slices = [*slices[:kept], *slices[kept + 1 :: 2]]
    return slices


def _compare(
    low: Volume,
    high: Volume,
    index: int,
    part: tuple[slice, slice],
    scale_factor: int,
    interpolate: Interpolation,
) -> Comparison:
    there = tuple(slice(axis.start * scale_factor, axis.stop * scale_factor) for axis in part)
    # Copies, or the part would keep the whole frame in memory.
    before, after = low.array[index], high.array[index][there].copy()
    wide = tuple(slice(max(axis.start - MARGIN, 0), axis.stop + MARGIN) for axis in part)
    empty = low.without_image(index)[wide]
    real = before[wide].astype(np.float64) * low.slope[index] + low.intercept[index]
    finer = interpolate(fill_nearest(np.nan_to_num(real), empty)[None], scale_factor)[0]
    inside = tuple(
        slice((axis.start - outer.start) * scale_factor, (axis.stop - outer.start) * scale_factor)
        for axis, outer in zip(part, wide, strict=True)
    )
    interpolated = _stored(finer[inside], high, index)
    nothing = high.without_image(index)[there]
    interpolated[nothing] = after[nothing]
    return Comparison(
        label=f"Slice {index + 1} of {len(low.array)}",
        low=_picture(before[part].copy(), low, index),
        bicubic=_picture(interpolated, high, index),
        sr=_picture(after, high, index),
        pixel=high.spacing[:2],
    )


def _picture(array: NDArray[Any], volume: Volume, index: int) -> Picture:
    return Picture(array, float(volume.slope[index]), float(volume.intercept[index]), volume.padding)


def _stored(real: NDArray[Any], volume: Volume, index: int) -> NDArray[Any]:
    """Real values as the volume would store them, rounded and clipped as those of super-resolution are."""
    stored = (real.astype(np.float64) - volume.intercept[index]) / volume.slope[index]
    if np.issubdtype(volume.array.dtype, np.integer):
        stored = np.rint(stored).clip(*volume.stored_range)
    return np.asarray(stored.astype(volume.array.dtype))


def _part(frame: NDArray[Any], side: int) -> tuple[slice, slice]:
    """Of an image with more than `side` rows or columns, the part of at most so many that varies most."""
    rows, columns = (min(size, side) for size in frame.shape)
    if (rows, columns) == frame.shape:
        return slice(0, rows), slice(0, columns)
    step = -(-max(frame.shape) // COARSE_SIDE)
    coarse = np.nan_to_num(frame[::step, ::step].astype(np.float64))
    row, column = most_varied_part(coarse, max(rows // step, 1), max(columns // step, 1))
    # A coarse place may lie a little beyond the last place of the part.
    row, column = min(row * step, frame.shape[0] - rows), min(column * step, frame.shape[1] - columns)
    return slice(row, row + rows), slice(column, column + columns)
