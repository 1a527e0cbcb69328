"""What a header says of the grid of pixels, on the finer grid: spacing, position, shutters, collimators."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from monai_sr.geometry import scale_image_position
from monai_sr.io.dicom_frames import SPACING_KEYWORDS
from monai_sr.io.dicom_types import Frame

# A pixel of the source is `scale_factor` finer ones: an edge that begins there moves to the first of them,
# one that ends there to the last, a point to their centre; pixels count from 1.
_FIRST = ("LeftVerticalEdge", "UpperHorizontalEdge")
_LAST = ("RightVerticalEdge", "LowerHorizontalEdge")


def scale_spacing(dataset: Dataset, scale_factor: int) -> None:
    """Divide every pixel spacing of a header in place.

    Args:
        dataset: header, or an item of a functional group.
        scale_factor: integer >= 1.
    """
    for keyword in SPACING_KEYWORDS:
        if dataset.get(keyword):
            setattr(
                dataset,
                keyword,
                [decimal_string(float(value) / scale_factor) for value in dataset.get(keyword)],
            )


def scale_position(dataset: Dataset, frame: Frame, scale_factor: int) -> None:
    """Move ImagePositionPatient, where a header has it, to the centre of the first finer pixel.

    Args:
        dataset: header, or an item of a functional group.
        frame: the source's frame; one without position or spacing stays where it is.
        scale_factor: integer >= 1.
    """
    if dataset.get("ImagePositionPatient") and frame.plane and frame.spacing:
        position = scale_image_position(*frame.plane, frame.spacing, scale_factor)
        dataset.ImagePositionPatient = [decimal_string(value) for value in position]


def decimal_string(value: float) -> DSfloat:
    """A number in the at most 16 characters that DICOM writes it in."""
    return DSfloat(float(value), auto_format=True)


def scale_shutters(dataset: Dataset, scale_factor: int) -> None:
    """Change the pixel coordinates of display shutters and collimators in place.

    Args:
        dataset: header with the source's coordinates.
        scale_factor: integer >= 1.
    """
    for kind in ("Shutter", "Collimator"):
        for edge in _FIRST:
            _change(dataset, f"{kind}{edge}", scale_factor, 1 - scale_factor)
        for edge in _LAST:
            _change(dataset, f"{kind}{edge}", scale_factor, 0)
        _change(dataset, f"RadiusOfCircular{kind}", scale_factor, 0)
        for points in (f"CenterOfCircular{kind}", f"VerticesOfThePolygonal{kind}"):
            _change(dataset, points, scale_factor, (1 - scale_factor) / 2)


def _change(dataset: Dataset, keyword: str, factor: int, offset: float) -> None:
    value = dataset.get(keyword)
    if value is None or value == "":
        return
    several = not isinstance(value, int)
    scaled = [int(factor * int(number) + offset) for number in (value if several else [value])]
    setattr(dataset, keyword, scaled if several else scaled[0])
