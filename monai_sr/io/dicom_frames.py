"""Where each frame of a DICOM image lies and what its values mean, by header or functional groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset

from monai_sr.errors import InputError
from monai_sr.geometry import is_orthonormal
from monai_sr.io.dicom_types import Frame, Plane

SPACING_KEYWORDS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
MAX_FRAMES = 2**16
"""Most frames of one file that are read; more is refused before anything is made of it."""


def parse_frames(header: FileDataset, path: Path) -> tuple[Frame, ...]:
    """Each frame of an image, in the order of the file.

    Args:
        header: attributes before the pixel data.
        path: the file.

    Returns:
        One frame of a single-frame image, as many as NumberOfFrames of another.

    Raises:
        InputError: if the geometry or the rescaling cannot be, or functional groups do not fit the frames.
        Exception: of any type, on damaged attributes.
    """
    count = int(header.get("NumberOfFrames") or 1)
    if not 0 < count <= MAX_FRAMES:
        raise InputError(f"{path} claims a number of frames that is not supported; export it again")
    if "PerFrameFunctionalGroupsSequence" not in header and "SharedFunctionalGroupsSequence" not in header:
        return (_frame([header], path),) * count
    each = list(header.get("PerFrameFunctionalGroupsSequence") or ())
    if len(each) != count:
        raise InputError(f"{path} has functional groups for another number of frames; export it again")
    return tuple(_frame(attribute_places(header, number), path) for number in range(count))


def attribute_places(header: Dataset, frame: int) -> list[Dataset]:
    """Where an attribute of a frame may stand, the nearest first.

    Args:
        header: attributes before the pixel data.
        frame: index of the frame.

    Returns:
        The items of the frame's functional groups, then of those that all frames share, then the header.
    """
    each = (header.get("PerFrameFunctionalGroupsSequence") or ())[frame : frame + 1]
    shared = (header.get("SharedFunctionalGroupsSequence") or ())[:1]
    return [*macros(*each), *macros(*shared), header]


def is_enhanced(header: Dataset) -> bool:
    """Whether frames are described by functional groups."""
    return "SharedFunctionalGroupsSequence" in header or "PerFrameFunctionalGroupsSequence" in header


def macros(*groups: Dataset) -> list[Dataset]:
    """The items of the standard's functional groups, each of which is a sequence of one item."""
    return [
        element.value[0]
        for group in groups
        for element in group
        if element.VR == "SQ" and element.keyword and len(element.value)
    ]


def _frame(places: list[Dataset], path: Path) -> Frame:
    """A frame whose attributes stand in the first of some datasets that has them."""
    position = _floats(places, "ImagePositionPatient", 3)
    orientation = _floats(places, "ImageOrientationPatient", 6)
    plane = Plane(position, orientation) if position and orientation else None
    if plane and not is_orthonormal(plane.orientation):
        raise InputError(f"{path} has an ImageOrientationPatient that is not orthonormal; export it again")
    spacing = next(filter(None, (_floats(places, keyword, 2) for keyword in SPACING_KEYWORDS)), None)
    if spacing and min(spacing) <= 0:
        raise InputError(f"{path} has a pixel spacing that is not positive; correct its header")
    slope, intercept = _number(places, "RescaleSlope", 1.0), _number(places, "RescaleIntercept", 0.0)
    if slope == 0:
        raise InputError(f"{path} has a RescaleSlope of zero, so its values are lost; export it again")
    thickness = abs(_number(places, "SliceThickness", 0.0)) or 1.0
    return Frame(plane, spacing, thickness, slope, intercept)


def _find(places: list[Dataset], keyword: str) -> object:
    return next((place[keyword].value for place in places if place.get(keyword) not in (None, "")), None)


def _floats(places: list[Dataset], keyword: str, count: int) -> tuple[float, ...] | None:
    values = _find(places, keyword)
    if values is None or len(values) != count:  # type: ignore[arg-type]  # a damaged one raises
        return None
    numbers = tuple(float(value) for value in values)  # type: ignore[attr-defined]
    return numbers if np.isfinite(numbers).all() else None


def _number(places: list[Dataset], keyword: str, default: float) -> float:
    value = _find(places, keyword)
    number = default if value is None else float(value)  # type: ignore[arg-type]
    if not np.isfinite(number):
        raise ValueError(f"{keyword} is not finite")
    return number
