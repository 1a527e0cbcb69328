"""NIfTI files: one 3-D or 2-D image, upscaled in the plane across its widest spacing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.nifti1 import Nifti1Header, Nifti1Image
from nibabel.nifti2 import Nifti2Header
from nibabel.openers import Opener
from numpy.typing import NDArray

from monai_sr.errors import InputError
from monai_sr.geometry import scale_affine
from monai_sr.io.atomic import atomic_file
from monai_sr.io.encoding import check_encodable, stored_frame
from monai_sr.io.expansion import check_expansion
from monai_sr.volume import MAX_FRAME_PIXELS, MAX_VOXELS, Provenance, Source, Volume

_TIE = 0.05
"""Spacings that differ by less than this fraction count as equal."""

_MAX_OFFSET = 2**24
"""Most bytes before the voxels, header and extensions, that are read."""


@dataclass(frozen=True, eq=False)
class NiftiSource(Source):
    """What a finer NIfTI image takes from its source.

    Args:
        image: the source, its voxels on disk.
        slope: scl_slope.
        intercept: scl_inter.
        axes: the file's axes that are the volume's rows, columns and frames.
    """

    image: Nifti1Image
    slope: float
    intercept: float
    axes: tuple[int, int, int]


def is_nifti(path: Path) -> bool:
    """Whether a file is named like NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def frame_axis(shape: tuple[int, int, int], spacing: NDArray[np.float64]) -> int:
    """Axis across which frames follow each other.

    Args:
        shape: voxels along each axis.
        spacing: mm along each axis, shape (3,).

    Returns:
        The last axis of one voxel, else the axis of the widest spacing; the last where some tie within 5 %.

    Example:
        >>> frame_axis((192, 24, 256), np.array([0.9, 5.0, 0.9]))
        1
    """
    if 1 in shape:
        return max(axis for axis in range(3) if shape[axis] == 1)
    return int(np.flatnonzero(spacing >= (1 - _TIE) * spacing.max())[-1])


def read_nifti(path: Path) -> Volume:
    """Volume of one NIfTI file, in its stored values and type.

    Args:
        path: a .nii or .nii.gz file of two or three dimensions (further ones of length 1 are passed over).

    Returns:
        The volume.

    Raises:
        InputError: if the file cannot be read or is not such an image.
    """
    image = _load(path)
    shape = _three(image.shape)
    if any(length > 1 for length in image.shape[3:]):
        raise InputError(f"{path} has {len(image.shape)} dimensions; split it into 3-D images first")
    if 0 in shape:
        raise InputError(f"{path} holds no voxels; name another file")
    dtype = image.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(f"{path} stores colour or complex voxels; convert it to a single real channel")
    frame = frame_axis(shape, np.linalg.norm(image.affine[:3, :3], axis=0))
    row, column = (axis for axis in range(3) if axis != frame)
    if shape[row] * shape[column] > MAX_FRAME_PIXELS or int(np.prod(shape, dtype=object)) > MAX_VOXELS:
        raise InputError(f"{path} claims more voxels than is supported ({MAX_VOXELS}); crop it first")
    check_expansion(path, int(np.prod(shape, dtype=object)) * dtype.itemsize)
    proxy = cast(ArrayProxy, image.dataobj)
    try:
        stored = proxy.get_unscaled()
    except Exception:
        raise InputError(f"{path} has truncated or damaged voxels; copy or export it again") from None
    axes = (row, column, frame)
    array = np.ascontiguousarray(
        stored.reshape(shape).transpose(frame, row, column).astype(dtype.newbyteorder("="))
    )
    slope, intercept = float(proxy.slope), float(proxy.inter)
    return Volume(
        array=array,
        affine=np.asarray(image.affine, np.float64)[:, [*axes, 3]],
        slope=np.full(len(array), slope),
        intercept=np.full(len(array), intercept),
        stored_range=_stored_range(array.dtype),
        source=NiftiSource(image, slope, intercept, axes),
        path=path,
    )


def _load(path: Path) -> Nifti1Image:
    try:
        _check_offset(path)
        image = nib.load(path)
    except Exception:
        raise InputError(f"{path} is not a readable NIfTI file; export it again") from None
    if not isinstance(image, Nifti1Image):
        raise InputError(f"{path} is named like NIfTI but is another format; convert it")
    if not np.isfinite(image.affine).all() or not np.linalg.norm(image.affine[:3, :3], axis=0).all():
        raise InputError(f"{path} has an affine that is not finite or has no spacing; correct its header")
    return image


def _check_offset(path: Path) -> None:
    # nibabel reads what stands before the voxels at once, however far a compressed file makes them seem.
    with Opener(str(path)) as file:
        block = file.read(Nifti2Header.sizeof_hdr)
    for header in (Nifti1Header, Nifti2Header):
        if header.may_contain_header(block):
            fields = header(block[: header.sizeof_hdr], check=False)  # type: ignore[no-untyped-call]
            if not 0 <= fields["vox_offset"] <= _MAX_OFFSET:
                raise ValueError("the header claims to be too long")


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    rows, columns, frames = (*shape, 1, 1)[:3]
    return rows, columns, frames


def _stored_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "f":
        return -np.inf, np.inf
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def write_nifti(volume: Volume, source: NiftiSource, path: Path, provenance: Provenance) -> None:
    """Write the finer image in the source's axes, type, scaling, codes and units.

    Args:
        volume: finer frames in stored values.
        source: where they derive from.
        path: a .nii or .nii.gz file, checked to be free.
        provenance: gives the scale factor; NIfTI has no place for the rest.

    Raises:
        ValueError: if the volume does not fit its source.
        MonaiSRError: if the disk refuses; nothing is left then.
    """
    shape = _three(source.image.shape)
    row, column, frame = source.axes
    dtype = source.image.get_data_dtype()
    factor = provenance.scale_factor
    check_encodable(volume, shape[frame], shape[row], shape[column], dtype.newbyteorder("="), factor)

    finer = list(source.image.shape) + [1] * (3 - len(source.image.shape))
    finer[row] *= factor
    finer[column] *= factor
    stored = np.stack([stored_frame(volume, index) for index in range(shape[frame])], axis=2)
    stored = stored.transpose(np.argsort((row, column, frame))).reshape(finer[: len(source.image.shape)])
    header = source.image.header.copy()
    header.set_data_shape(stored.shape)
    image = type(source.image)(stored.astype(dtype, copy=False), None, header)
    zooms = list(source.image.header.get_zooms())
    for axis in (row, column):
        if axis < len(zooms):
            zooms[axis] /= factor
    image.header.set_zooms(zooms)
    image.set_qform(_finer(source.image.get_qform(), source.axes, factor), int(header["qform_code"]))
    image.set_sform(_finer(source.image.get_sform(), source.axes, factor), int(header["sform_code"]))
    image.header.set_slope_inter(source.slope, source.intercept)
    with atomic_file(path) as file:
        nib.save(image, file)


def _finer(affine: NDArray[np.float64], axes: tuple[int, int, int], scale_factor: int) -> NDArray[np.float64]:
    order = [*axes, 3]
    return scale_affine(affine[:, order], scale_factor)[:, np.argsort(order)]
