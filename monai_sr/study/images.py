"""One case by every condition, so that nothing but its pixels tells which condition an image is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_sr.errors import InputError
from monai_sr.io.display import Display, display_of
from monai_sr.io.image import ImageSource
from monai_sr.report.comparison import Picture, encode_picture
from monai_sr.report.windows import choose_windows
from monai_sr.study.conditions import Case
from monai_sr.volume import Volume

SPACING_TOLERANCE = 0.01
"""Largest relative difference of pixel spacings that count as the same."""


@dataclass(frozen=True)
class Shown:
    """One slice as a page holds it.

    Args:
        facts: for JSON; the same for every condition.
        block: its pixels as text.
    """

    facts: Mapping[str, Any]
    block: str


@dataclass(frozen=True)
class EncodedCase:
    """A case as text.

    Args:
        slices: for each condition, the slices that are shown.
        windows: by which every condition of the case is shown.
        inverted: whether the least value is white.
    """

    slices: tuple[tuple[Shown, ...], ...]
    windows: list[dict[str, Any]]
    inverted: bool


def encode_case(case: Case, names: Sequence[str], n_slices: int) -> EncodedCase:
    """Read a case by every condition and turn it into text.

    Stored values are kept where all conditions store them alike; otherwise every condition's become real
    values in single precision, so that the way of storing tells nothing.

    Args:
        case: what to read.
        names: of the conditions, for messages.
        n_slices: most slices to show, evenly spaced.

    Returns:
        The text.

    Raises:
        InputError: if an image cannot be read, or the conditions do not show the same field alike.
    """
    volumes = [read() for read in case.reads]
    _check_alike(case.name, names, volumes)
    displays = [display_of(volume) for volume in volumes]
    if len({display.inverted for display in displays}) > 1:
        raise InputError(
            f"{case.name} is black on white in some conditions only: store it alike in every condition"
        )
    count = len(volumes[0].array)
    wanted = min(count, n_slices)
    chosen = [int((number + 0.5) * count / wanted) for number in range(wanted)]
    pictures = [[] for _ in volumes]  # type: list[list[Picture]]
    for index in chosen:
        for stack, picture in zip(pictures, _pictures(volumes, index), strict=True):
            stack.append(picture)
    samples = np.concatenate([picture.sample().ravel() for stack in pictures for picture in stack])
    values = samples[np.isfinite(samples)]
    extremes = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    # A window that only one condition's file asks for would favour it.
    display = displays[0] if len(set(displays)) == 1 else Display(inverted=displays[0].inverted)
    pixel = list(volumes[0].spacing[:2])
    return EncodedCase(
        tuple(tuple(_encode(picture, pixel) for picture in stack) for stack in pictures),
        choose_windows(values, extremes, display),
        display.inverted,
    )


def _check_alike(case: str, names: Sequence[str], volumes: Sequence[Volume]) -> None:
    first = volumes[0]
    for name, volume in zip(names[1:], volumes[1:], strict=True):
        if volume.array.shape != first.array.shape:
            sizes = [" x ".join(map(str, item.array.shape)) for item in (first, volume)]
            raise InputError(
                f"{case} has {sizes[0]} (slices x rows x columns) in {names[0]} and {sizes[1]} in {name}: "
                "bring every condition to the same size"
            )
        if not np.allclose(volume.spacing[:2], first.spacing[:2], rtol=SPACING_TOLERANCE):
            raise InputError(
                f"{case} has pixels of another size in {name} than in {names[0]}: "
                "give both the same field of view"
            )
        # These formats say nothing of what a value means but by their depth.
        if isinstance(volume.source, ImageSource) and volume.array.dtype != first.array.dtype:
            raise InputError(
                f"{case} has another depth in {name} than in {names[0]}: "
                "store both with 8 bits or both with 16"
            )


def _pictures(volumes: Sequence[Volume], index: int) -> list[Picture]:
    """A slice by every condition, all of one type and rescaling."""
    rescaling = {(float(volume.slope[index]), float(volume.intercept[index])) for volume in volumes}
    types = [volume.array.dtype for volume in volumes]
    if len(rescaling) == 1 and all(np.issubdtype(dtype, np.integer) for dtype in types):
        slope, intercept = rescaling.pop()
        common = np.result_type(*types)
        return [
            Picture(volume.array[index].astype(common), slope, intercept, volume.padding)
            for volume in volumes
        ]
    return [Picture(_real(volume, index)) for volume in volumes]


def _real(volume: Volume, index: int) -> NDArray[np.float32]:
    real = np.where(volume.without_image(index), np.nan, volume.real_frame(index))
    limit = np.finfo(np.float32).max
    return np.asarray(real.clip(-limit, limit), dtype=np.float32)


def _encode(picture: Picture, pixel: list[float]) -> Shown:
    facts, block = encode_picture(picture)
    # Which values are padding has served to choose the windows, and could tell one condition from another.
    return Shown({"label": "", "pixel": pixel, "images": {"image": facts | {"padding": None}}}, block)
