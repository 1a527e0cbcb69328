"""Shutters and collimators, which DICOM places by pixel, on the finer grid."""

from __future__ import annotations

from pydicom.dataset import Dataset

# A pixel of the source is `scale_factor` finer ones: an edge that begins there moves to the first of them,
# one that ends there to the last, a point to their centre; pixels count from 1.
_FIRST = ("LeftVerticalEdge", "UpperHorizontalEdge")
_LAST = ("RightVerticalEdge", "LowerHorizontalEdge")


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
