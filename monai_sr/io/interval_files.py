"""Where the intervals of an image are written, and as NIfTI where the image is no DICOM."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from monai_sr.errors import InputError
from monai_sr.io.atomic import atomic_file
from monai_sr.io.image import is_image
from monai_sr.io.itk import is_itk
from monai_sr.io.nifti import NiftiSource, is_nifti
from monai_sr.volume import Volume

_NAME = ".interval"


def interval_path(path: Path) -> Path:
    """Where the intervals of an output go: beside it.

    Args:
        path: the output, a folder or a file.

    Returns:
        A folder beside a folder of DICOM, .dcm beside .dcm, NIfTI beside anything else.

    Example:
        >>> [interval_path(Path(name)).as_posix() for name in ("derived", "a/b.nii.gz", "b.png", "b.dcm")]
        ['derived.interval', 'a/b.interval.nii.gz', 'b.png.interval.nii.gz', 'b.interval.dcm']
    """
    if is_image(path) or is_itk(path):
        return path.with_name(f"{path.name}{_NAME}.nii.gz")
    suffix = ""
    if is_nifti(path) or path.suffix.lower() in (".dcm", ".dicom"):
        suffix = path.name[-7:] if path.name.lower().endswith(".nii.gz") else path.suffix
    return path.with_name(f"{path.name.removesuffix(suffix)}{_NAME}{suffix}")


def write_interval_nifti(volume: Volume, axes: tuple[int, int, int], path: Path) -> None:
    """Write the half-widths of intervals, in real values, as float32 on the volume's own grid.

    Args:
        volume: whose frames were all made, with intervals.
        axes: the file's axes that are the volume's rows, columns and frames.
        path: a .nii or .nii.gz file, checked to be free.

    Raises:
        ValueError: if the volume has no intervals.
        MonaiSRError: if the disk refuses; nothing is left then.
    """
    if volume.intervals is None:
        raise ValueError("volume has no intervals: give one of an upscaler with uncertainty")
    stack = np.stack([volume.intervals.take(index) for index in range(len(volume.array))], axis=2)
    back = np.argsort(axes)
    affine = volume.affine[:, [*back, 3]]
    image = Nifti1Image(stack.transpose(back), affine)
    image.header.set_xyzt_units("mm")
    if isinstance(volume.source, NiftiSource):  # or a viewer takes the two for different spaces
        for form in ("sform", "qform"):
            if code := int(volume.source.image.header[f"{form}_code"]):
                getattr(image, f"set_{form}")(affine, code)
    with atomic_file(path) as file:
        nib.save(image, file)


def read_interval_nifti(path: Path, axes: tuple[int, int, int]) -> NDArray[np.float32]:
    """Half-widths that `write_interval_nifti` wrote.

    Args:
        path: the file.
        axes: its axes that are the volume's rows, columns and frames.

    Returns:
        Real values, shape [frames, rows, columns].

    Raises:
        InputError: if the file cannot be read.
    """
    try:
        image = Nifti1Image.from_filename(path)
        stack: NDArray[np.float32] = np.asarray(image.dataobj, np.float32)
    except (OSError, ValueError, EOFError, ImageFileError):
        raise InputError(f"{path} holds no intervals: write them anew.") from None
    row, column, frame = axes
    return np.asarray(stack.transpose(frame, row, column))
