"""MetaImage and NRRD through SimpleITK, in their stored values and type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.geometry import scale_affine
from monai_sr.io.atomic import atomic_file
from monai_sr.io.encoding import check_encodable, stored_frame
from monai_sr.io.expansion import check_expansion
from monai_sr.io.nifti import frame_axis
from monai_sr.volume import MAX_FRAME_PIXELS, MAX_VOXELS, Provenance, Source, Volume

_HEADER_BYTES = 2**16
_DATA_FILE = re.compile(rb"data\s*file[ \t:=]*([^\r\n]*)", re.IGNORECASE)
SUFFIXES = (".mha", ".mhd", ".nrrd")
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class ItkSource(Source):
    """What a finer image takes from its source.

    Args:
        axes: which of the file's axes (fastest first) are rows, columns and frames.
        shape: length of the file's axes, fastest first.
        dtype: its stored type.
        affine: of the file's axes, to RAS, shape (4, 4), in mm.
        metadata: key -> text of the header's further entries.
    """

    axes: tuple[int, int, int]
    shape: tuple[int, int, int]
    dtype: np.dtype[np.generic]
    affine: NDArray[np.float64]
    metadata: dict[str, str]


def is_itk(path: Path) -> bool:
    """Whether a file is named like MetaImage or NRRD."""
    return path.suffix.lower() in SUFFIXES


def read_itk(path: Path) -> Volume:
    """Volume of one MetaImage or NRRD file.

    Args:
        path: a .mha, .mhd or .nrrd file of three dimensions.

    Returns:
        The volume.

    Raises:
        InputError: if the file cannot be read or is not such an image.
    """
    data_file = _data_file(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        size = reader.GetSize()
        scalar = reader.GetNumberOfComponents() == 1
    except RuntimeError:
        raise InputError(f"{path} is not a readable MetaImage or NRRD file; export it again") from None
    if not scalar or len(size) != 3 or 0 in size:
        raise InputError(f"{path} is not a 3-D image of a single channel, as is supported; convert it")
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(reader.GetDirection(), (3, 3)) * reader.GetSpacing()
    matrix[:3, 3] = reader.GetOrigin()
    affine = _LPS_TO_RAS @ matrix
    frame = frame_axis(size, np.linalg.norm(affine[:3, :3], axis=0))
    row, column = (axis for axis in range(3) if axis != frame)
    if size[row] * size[column] > MAX_FRAME_PIXELS or int(np.prod(size, dtype=object)) > MAX_VOXELS:
        raise InputError(f"{path} claims more voxels than is supported ({MAX_VOXELS}); crop it first")
    bits, _, _ = sitk.GetPixelIDValueAsString(reader.GetPixelIDValue()).partition("-")
    check_expansion(data_file, int(np.prod(size, dtype=object)) * int(bits) // 8)
    try:
        image = reader.Execute()
    except RuntimeError:
        raise InputError(f"{path} has truncated or damaged voxels; copy or export it again") from None
    stored = sitk.GetArrayFromImage(image)
    if stored.dtype.kind not in "iuf":
        raise InputError(f"{path} does not store real numbers; convert it")
    axes = (row, column, frame)
    array = np.ascontiguousarray(stored.T.transpose(frame, row, column))
    whole = array.dtype.kind in "iu"
    limits = np.iinfo(array.dtype) if whole else None
    metadata = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys() if not key.startswith("ITK_")}
    return Volume(
        array=array,
        affine=affine[:, [*axes, 3]],
        slope=np.ones(len(array)),
        intercept=np.zeros(len(array)),
        stored_range=(float(limits.min), float(limits.max)) if limits else (-np.inf, np.inf),
        source=ItkSource(axes, size, array.dtype, affine, metadata),
        path=path,
    )


def _data_file(path: Path) -> Path:
    """The file that holds the voxels: the image itself or one beside it, never one elsewhere."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES).replace(b"\r\n", b"\n")
    header, end, _ = header.partition(b"\n\n") if path.suffix.lower() == ".nrrd" else (header, b"", b"")
    names = [match[1].decode("latin-1").strip() for match in _DATA_FILE.finditer(header)]
    if not names and not end:
        raise InputError(f"{path} is not a readable MetaImage or NRRD file; export it again")
    others = [name for name in names if name.upper() != "LOCAL"]
    # A list or a pattern of names could lead elsewhere too.
    if others and (len(names) > 1 or set(others[0]) & set("/\\%") or not (path.parent / others[0]).is_file()):
        raise InputError(f"{path} does not name one file beside it for its voxels; convert it to one file")
    return path.parent / others[0] if others else path


def write_itk(volume: Volume, source: ItkSource, path: Path, provenance: Provenance) -> None:
    """Write the finer image in the source's axes and type.

    Args:
        volume: finer frames in stored values.
        source: where they derive from.
        path: a .mha or .nrrd file, checked to be free.
        provenance: gives the scale factor; these formats have no place for the rest.

    Raises:
        ValueError: if the volume does not fit its source.
        MonaiSRError: if the disk refuses; nothing is left then.
    """
    row, column, frame = source.axes
    factor = provenance.scale_factor
    check_encodable(
        volume, source.shape[frame], source.shape[row], source.shape[column], source.dtype, factor
    )
    stored = np.stack([stored_frame(volume, index) for index in range(source.shape[frame])], axis=2)
    order = [*source.axes, 3]
    finer = scale_affine(source.affine[:, order], factor)[:, np.argsort(order)]
    save_itk(stored.transpose(np.argsort(source.axes)), finer, source, path)


def save_itk(stored: NDArray[np.generic], affine: NDArray[np.float64], source: ItkSource, path: Path) -> None:
    """Write stored values with what else their source's file says.

    Args:
        stored: in the axes of the file.
        affine: of these axes to RAS, shape (4, 4), in mm.
        source: whose metadata are kept.
        path: a .mha or .nrrd file, checked to be free.

    Raises:
        MonaiSRError: if the disk refuses; nothing is left then.
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(stored.T))
    finer = _LPS_TO_RAS @ affine
    spacing = np.linalg.norm(finer[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((finer[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(finer[:3, 3].tolist())
    for key, text in source.metadata.items():
        image.SetMetaData(key, text)
    with atomic_file(path) as file:
        try:
            sitk.WriteImage(image, str(file))
        except RuntimeError:
            raise MonaiSRError(f"{path} could not be written; check the disk") from None
