"""Any volume as one file for a viewer, whatever format it was read from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from monai_sr.io.atomic import atomic_file
from monai_sr.io.nifti import is_nifti
from monai_sr.volume import LazyFrames, Volume

_DICOM_AXES = (1, 0, 2)
"""Rows, columns and frames follow each other along these axes of a file that a viewer makes of DICOM."""

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_image_file(volume: Volume, path: Path) -> None:
    """Write real values and their place, along the axes of the source, which for DICOM are columns and rows.

    Args:
        volume: any frames.
        path: a .nii, .nii.gz, .nrrd or .mha file, which is replaced if it exists.

    Raises:
        MonaiSRError: if the disk refuses; nothing is left then.
    """
    order = np.argsort(getattr(volume.source, "axes", _DICOM_AXES))
    array = _real(volume).transpose(1, 2, 0).transpose(order)
    affine = volume.affine[:, [*order, 3]]
    with atomic_file(path) as file:
        if is_nifti(path):
            image = nib.Nifti1Image(array, affine)
            image.header.set_xyzt_units("mm")
            nib.save(image, file)
            return
        itk = sitk.GetImageFromArray(array.T)
        lps = _RAS_TO_LPS @ affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        itk.SetSpacing(spacing.tolist())
        itk.SetOrigin(lps[:3, 3].tolist())
        itk.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
        sitk.WriteImage(itk, str(file), True)


def write_empty_labelmap(volume: Volume, path: Path) -> None:
    """Write a labelmap without a label on the grid of a volume.

    Args:
        volume: gives the grid.
        path: as for `write_image_file`.

    Raises:
        MonaiSRError: if the disk refuses; nothing is left then.
    """
    count, rows, columns = volume.array.shape
    empty = LazyFrames(
        (count, rows, columns), np.dtype(np.uint8), lambda index: np.zeros((rows, columns), np.uint8)
    )
    write_image_file(replace(volume, array=empty, slope=np.ones(count), intercept=np.zeros(count)), path)


def _real(volume: Volume) -> NDArray[Any]:
    """Real values, shape [n, rows, columns], of the stored type where that holds them."""
    stored = np.asarray(volume.array)
    slope, intercept = volume.slope[:, None, None], volume.intercept[:, None, None]
    if np.all(slope == 1) and np.all(intercept == 0):
        return stored
    whole = np.issubdtype(stored.dtype, np.integer) and not np.any(slope % 1) and not np.any(intercept % 1)
    if not whole:
        return np.asarray(stored * slope + intercept, np.float32)
    real = stored.astype(np.int64) * slope.astype(np.int64) + intercept.astype(np.int64)
    return real.astype(np.int16 if real.min() >= -(2**15) and real.max() < 2**15 else np.int32)
