"""Volumes as stacks of slices: whether one may look for slices between, and how thick they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import MRImageStorage

from monai_sr.errors import InputError
from monai_sr.geometry import same_orientation, slice_positions, spacing_findings
from monai_sr.io.dicom_types import DicomSource
from monai_sr.io.image import ImageSource
from monai_sr.volume import Volume

_TILT_TOLERANCE = 0.01
"""Sine of the angle between a stack and the normal of its slices that still counts as none."""


def slice_thickness(volume: Volume) -> float | None:
    """Thickness of the slices of a volume whose slices follow each other evenly.

    Args:
        volume: what was read.

    Returns:
        SliceThickness in mm, None where the format or the header does not tell.

    Raises:
        InputError: if it is no stack of MR slices, or no regular one.
    """
    if isinstance(volume.source, ImageSource):
        raise InputError(f"{volume.path} is a picture in a plane, which has no slices: give an MR volume")
    if len(volume.array) < 2:
        raise InputError(f"{volume.path} has one slice, and there is nothing between: give the whole series")
    if not isinstance(volume.source, DicomSource):
        rows, columns, way = volume.affine[:3, :3].T
        normal = np.cross(rows, columns)
        _refuse_shift(volume, way, float(way @ normal / np.linalg.norm(normal)))
        return None
    return _dicom_thickness(volume, volume.source)


def _dicom_thickness(volume: Volume, source: DicomSource) -> float | None:
    headers = [instance.header for instance in source.instances]
    are_mr = all(
        header.get("SOPClassUID") == MRImageStorage and header.get("Modality", "MR") == "MR"
        for header in headers
    )
    if not are_mr or len(headers) < len(volume.array):
        raise InputError(
            f"{volume.path} is no series of single-frame MR images, of which alone new slices are made: "
            "convert it to NIfTI if it is an MR volume"
        )
    planes = [instance.frames[0].plane for instance in source.instances]
    known = [plane for plane in planes if plane is not None]
    if len(known) < len(planes) or not same_orientation([plane.orientation for plane in known]):
        raise InputError(f"{volume.path} does not say where its slices lie: export it again")
    positions = [plane.position for plane in known]
    distances = slice_positions(positions, known[0].orientation)
    if findings := spacing_findings(distances):
        raise InputError(f"{volume.path} has {findings[0]}: slices between need even steps")
    _refuse_shift(volume, np.subtract(positions[-1], positions[0]), float(distances[-1] - distances[0]))
    thickness = {float(header.get("SliceThickness") or 0) for header in headers}
    if len(thickness) > 1:
        raise InputError(f"{volume.path} has slices of several thicknesses: give each kind its own folder")
    return thickness.pop() or None


def _refuse_shift(volume: Volume, way: NDArray[np.float64], along: float) -> None:
    """Refuse a way across slices that is longer than the part of it along their normal."""
    length = float(np.linalg.norm(way))
    if length**2 - along**2 > (_TILT_TOLERANCE * length) ** 2:
        raise InputError(f"{volume.path} has slices that are shifted against each other: resample it first")
