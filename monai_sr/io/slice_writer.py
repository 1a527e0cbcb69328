"""Writing a volume that has more slices than its source."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from monai_sr.geometry import scale_slices
from monai_sr.io.atomic import atomic_file
from monai_sr.io.dicom_slices import write_dicom_slices
from monai_sr.io.dicom_types import DicomSource
from monai_sr.io.dicom_writer import DicomOutput
from monai_sr.io.itk import ItkSource, save_itk
from monai_sr.io.nifti import NiftiSource
from monai_sr.volume import Provenance, Volume


def write_slices(
    volume: Volume, path: str | os.PathLike[str], provenance: Provenance, dicom: DicomOutput | None = None
) -> None:
    """Write a volume of finer slices in the format that its source was read from.

    Args:
        volume: the field of view of its `source`, in plane as it was; more slices, in stored values.
        path: output folder or file, which `monai_sr.io.check_output` has found free.
        provenance: what made it.
        dicom: how DICOM is written.

    Raises:
        ValueError: if the volume does not fit its source.
        MonaiSRError: if the disk refuses; nothing is left then.
    """
    path = Path(path)
    if isinstance(volume.source, DicomSource):
        write_dicom_slices(volume, volume.source, path, provenance, dicom or DicomOutput())
    elif isinstance(volume.source, NiftiSource):
        _write_nifti(volume, volume.source, path)
    elif isinstance(volume.source, ItkSource):
        _write_itk(volume, volume.source, path)
    else:
        raise ValueError(f"source is a {type(volume.source).__name__}, which holds no slices; give a volume")


def _write_nifti(volume: Volume, source: NiftiSource, path: Path) -> None:
    frame = source.axes[2]
    stored = np.asarray(volume.array).transpose(1, 2, 0).transpose(np.argsort(source.axes))
    ratio = stored.shape[frame] / source.image.shape[frame]
    header = source.image.header.copy()
    header.set_data_shape(stored.shape)
    image = type(source.image)(stored.astype(source.image.get_data_dtype(), copy=False), None, header)
    zooms = list(source.image.header.get_zooms()[:3])
    zooms[frame] /= ratio
    image.header.set_zooms(zooms)
    image.set_qform(_finer(source.image.get_qform(), source.axes, ratio), int(header["qform_code"]))
    image.set_sform(_finer(source.image.get_sform(), source.axes, ratio), int(header["sform_code"]))
    # The order in which slices were acquired says nothing of these.
    for field in ("slice_start", "slice_end", "slice_duration", "slice_code"):
        image.header[field] = 0
    image.header.set_slope_inter(source.slope, source.intercept)
    with atomic_file(path) as file:
        nib.save(image, file)


def _write_itk(volume: Volume, source: ItkSource, path: Path) -> None:
    stored = np.asarray(volume.array).transpose(1, 2, 0).transpose(np.argsort(source.axes))
    ratio = stored.shape[source.axes[2]] / source.shape[source.axes[2]]
    save_itk(stored, _finer(source.affine, source.axes, ratio), source, path)


def _finer(affine: NDArray[np.float64], axes: tuple[int, int, int], ratio: float) -> NDArray[np.float64]:
    order = [*axes, 3]
    return scale_slices(affine[:, order], ratio)[:, np.argsort(order)]
