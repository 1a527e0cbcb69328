"""Reading and writing images, with everything that their format says about them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from monai_sr.errors import InputError
from monai_sr.io.atomic import check_destination
from monai_sr.io.dicom import Series, list_series, read_file
from monai_sr.io.dicom_map import read_maps
from monai_sr.io.dicom_types import DicomSource
from monai_sr.io.dicom_writer import (
    WRITTEN_FILES,
    DicomOutput,
    check_dicom_output,
    is_single_file,
    write_dicom,
)
from monai_sr.io.image import ImageSource, check_image_output, is_image, read_image, write_image
from monai_sr.io.interval_files import interval_path, read_interval_nifti, write_interval_nifti
from monai_sr.io.itk import ItkSource, is_itk, read_itk, write_itk
from monai_sr.io.nifti import NiftiSource, is_nifti, read_nifti, write_nifti
from monai_sr.volume import Frames, LazyFrames, Provenance, Source, Volume

__all__ = [
    "DicomOutput",
    "Series",
    "check_output",
    "interval_path",
    "list_series",
    "open_volume",
    "read_intervals",
    "read_series",
    "read_volume",
    "write_volume",
]


def read_volume(path: str | os.PathLike[str], series: str | None = None) -> Volume:
    """Read one image: a DICOM series, NIfTI, MetaImage, NRRD, PNG, TIFF or JPEG.

    Args:
        path: a folder of DICOM files, one DICOM file, .nii, .nii.gz, .mha, .mhd, .nrrd, .png, .tif, .tiff,
            .jpg or .jpeg.
        series: SeriesInstanceUID, to choose from a folder of several series.

    Returns:
        Stored values with their geometry; `write_volume` takes it back to the same format, JPEG to
            PNG or TIFF.

    Raises:
        InputError: with the reason and the remedy, if the input cannot be read as it stands.
    """
    return open_volume(path, series).load()


def open_volume(path: str | os.PathLike[str], series: str | None = None) -> Volume:
    """As `read_volume`, but DICOM frames are decoded one at a time, when they are asked for.

    Args:
        path: as for `read_volume`.
        series: SeriesInstanceUID, to choose from a folder of several series.

    Returns:
        The volume; its frames may raise `InputError` when pixel data turn out to be damaged.

    Raises:
        InputError: with the reason and the remedy, if the input cannot be read as it stands.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    if path.is_dir():
        return _choose(list_series(path), path, series).read()
    if series is not None:
        raise InputError(
            f"{path} is a file, which has no series to choose from; name its folder or leave series out"
        )
    if not path.is_file():
        # A pipe would be waited for without end.
        raise InputError(f"{path} is neither a file nor a folder; name another input")
    if is_nifti(path):
        return read_nifti(path)
    if is_itk(path):
        return read_itk(path)
    return read_image(path) if is_image(path) else read_file(path)


def _choose(found: list[Series], path: Path, uid: str | None) -> Series:
    if uid is not None:
        found = [series for series in found if series.series_uid == uid]
        if not found:
            raise InputError(f"{path} does not hold the chosen series; check the SeriesInstanceUID")
    if len(found) > 1:
        raise InputError(
            f"{path} holds {len(found)} series; choose one by its SeriesInstanceUID or upscale them all"
        )
    return found[0]


def read_series(path: str | os.PathLike[str]) -> Iterator[Volume]:
    """Read every series below a folder, decoding one at a time.

    Args:
        path: a folder of DICOM files; `list_series` gives the same without decoding.

    Yields:
        One volume per series.

    Raises:
        InputError: if the folder does not exist or holds no DICOM image, or a series cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path} is not a folder; name the folder that holds the series")
    for series in list_series(path):
        yield series.read().load()


def check_output(
    volume: Volume,
    path: str | os.PathLike[str],
    overwrite: bool = False,
    dicom: DicomOutput | None = None,
    intervals: Path | None = None,
) -> None:
    """Refuse, before any work is done, an output that `write_volume` would refuse.

    Args:
        volume: what was read.
        path: where its finer version is to go.
        overwrite: whether an earlier output there may be replaced.
        dicom: how DICOM is to be written.
        intervals: where the intervals about its pixels are to go.

    Raises:
        InputError: if `path` is taken, touches the input or cannot hold the volume, intervals of an earlier
            output lie beside it, or `dicom` is given for what is no DICOM.
    """
    path = Path(path)
    folder = isinstance(volume.source, DicomSource) and not is_single_file(path)
    if isinstance(volume.source, DicomSource):
        check_dicom_output(volume.source, path, dicom or DicomOutput(), intervals is not None)
    elif dicom:
        raise InputError(f"{volume.path} is no DICOM; leave the options of DICOM output out")
    elif isinstance(volume.source, ImageSource):
        check_image_output(volume, path)
    elif isinstance(volume.source, ItkSource):
        if path.suffix.lower() not in (".mha", ".nrrd"):
            raise InputError(
                f"{path} must end in .mha or .nrrd, which hold header and voxels of such an image in one file"
            )
    elif not is_nifti(path):
        raise InputError(f"{path} must end in .nii or .nii.gz, since the input is NIfTI")
    if intervals is None and (stale := interval_path(path)).exists():
        raise InputError(
            f"{stale} holds intervals of an earlier output, which would be taken for those of {path}; "
            "move it or choose another output"
        )
    for target in (path, intervals):
        if target is not None:
            check_destination(target, volume.path, folder=folder, overwrite=overwrite, written=WRITTEN_FILES)


def write_volume(
    volume: Volume,
    path: str | os.PathLike[str],
    provenance: Provenance,
    overwrite: bool = False,
    dicom: DicomOutput | None = None,
    intervals: Path | None = None,
) -> None:
    """Write a finer volume in the format that its source was read from.

    DICOM becomes a derived series of the same class: a folder of 00001.dcm and so on, or one file where
    `path` ends in .dcm and there is one frame. The output is there whole or, after any failure, not at all.

    Args:
        volume: `scale_factor` times finer than its `source`, in stored values within `stored_range`.
        path: output folder or file.
        provenance: what made it; a second run with the same provenance writes the same UIDs and bytes.
        overwrite: replace an earlier output, which survives if writing fails; a folder that holds
            anything else is refused.
        dicom: how DICOM is written; by default uncompressed, in the source's class.
        intervals: where the intervals about its pixels go, of a volume that has them: what `interval_path`
            gives, Parametric Maps for DICOM, else NIfTI.

    Raises:
        InputError: if `check_output` refuses `path`.
        ValueError: if the volume does not fit its source.
        MonaiSRError: if the disk refuses.
    """
    path = Path(path)
    check_output(volume, path, overwrite, dicom, intervals)
    if isinstance(volume.source, DicomSource):
        write_dicom(volume, volume.source, path, provenance, dicom or DicomOutput(), intervals)
        return
    if isinstance(volume.source, NiftiSource):
        write_nifti(volume, volume.source, path, provenance)
    elif isinstance(volume.source, ItkSource):
        write_itk(volume, volume.source, path, provenance)
    elif isinstance(volume.source, ImageSource):
        write_image(volume, volume.source, path, provenance)
    else:
        raise ValueError(
            f"source is a {type(volume.source).__name__}; give a volume that read_volume returned"
        )
    if intervals is not None:
        write_interval_nifti(volume, _axes(volume.source), intervals)


def read_intervals(volume: Volume, path: Path) -> Frames:
    """Half-widths of intervals, as `write_volume` wrote them.

    Args:
        volume: the finer volume that was written with them, opened again.
        path: of the intervals.

    Returns:
        Half-width of each pixel in real values, float32, of the shape of the volume's `array`; 0 where there
        is no image.

    Raises:
        InputError: if they cannot be read, for DICOM once a frame is asked for.
    """
    if isinstance(volume.source, DicomSource):
        count, rows, columns = volume.array.shape
        read = read_maps(volume.source, path)
        return LazyFrames((count, rows, columns), np.dtype(np.float32), read)
    return read_interval_nifti(path, _axes(volume.source))


def _axes(source: Source) -> tuple[int, int, int]:
    """A file's axes that are the volume's rows, columns and frames."""
    return source.axes if isinstance(source, NiftiSource | ItkSource) else (0, 1, 2)
