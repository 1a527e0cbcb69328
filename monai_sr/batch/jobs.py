"""One source: what there is of it to upscale, and each of that read, upscaled and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from monai_sr.batch.pipeline import ahead
from monai_sr.errors import InputError
from monai_sr.intervals import IntervalWidth
from monai_sr.io import DicomOutput, check_output, interval_path, list_series, open_volume, write_volume
from monai_sr.io.image import is_image, output_name
from monai_sr.io.itk import is_itk
from monai_sr.io.nifti import is_nifti
from monai_sr.upscaler import Progress, Upscaler
from monai_sr.volume import Consistency, Volume

_REMEDY = "add --include-derived to upscale it again"


@dataclass(frozen=True)
class Job:
    """One image or series to upscale.

    Args:
        read: gives the volume.
        destination: folder or file that is written.
        dicom: how DICOM is written, if it is to be otherwise than by default.
        intervals: where those go, if an upscaler gives them; beside the destination by default.
    """

    read: Callable[[], Volume]
    destination: Path
    dicom: DicomOutput | None = field(default=None, kw_only=True)
    intervals: Path | None = field(default=None, kw_only=True)


def plan(
    source: Path,
    destination: Path,
    series: str | None = None,
    dicom: DicomOutput | None = None,
    include_derived: bool = False,
) -> list[Job]:
    """What has to be done to upscale a path.

    Args:
        source: a folder of DICOM files, or one image file.
        destination: for one DICOM series the folder of the derived series; for several a folder that gets
            one folder per series, numbered; for a file the output file, or a folder that gets one of the
            same name.
        series: SeriesInstanceUID, to choose one series of several.
        dicom: how DICOM is written.
        include_derived: whether what this software made is to be upscaled, too; by default its job refuses.

    Returns:
        One job per series or file.

    Raises:
        InputError: if there is nothing to upscale, or some series of several were made by this software.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist: check the path.")
    if not source.is_dir():
        file = _file_destination(source, destination)
        return [Job(partial(_read, partial(open_volume, source, series), include_derived), file, dicom=dicom)]
    if series is not None:
        chosen = partial(open_volume, source, series)
        return [Job(partial(_read, chosen, include_derived), destination, dicom=dicom)]
    found = list_series(source)
    if len(found) == 1:
        return [Job(partial(_read, found[0].read, include_derived), destination, dicom=dicom)]
    # Refused before any is computed.
    if not include_derived and any(entry.is_derived() for entry in found):
        raise InputError(
            f"{source} holds, among others, a series that monai-sr made: {_REMEDY}, or choose one."
        )
    return [
        Job(entry.read, destination / f"series_{number:04d}", dicom=dicom)
        for number, entry in enumerate(found, start=1)
    ]


def _read(read: Callable[[], Volume], include_derived: bool) -> Volume:
    volume = read()
    if volume.acquisition.is_derived and not include_derived:
        raise InputError(f"{volume.path} holds what monai-sr made: take its source, or {_REMEDY}.")
    return volume


@dataclass(frozen=True)
class Written:
    """What a job wrote.

    Args:
        frames: how many.
        consistency: of each frame that was compared with its source, by index.
        findings: what speaks against the result, each a clause with its numbers.
        interval: how wide the intervals are, where they were wanted.
        compared: what was held against the training images, with its numbers; empty for nothing.
    """

    frames: int
    consistency: Mapping[int, Consistency]
    findings: tuple[str, ...] = ()
    interval: IntervalWidth | None = None
    compared: str = ""


def run_job(
    upscaler: Upscaler, job: Job, overwrite: bool = False, progress: Progress | None = None
) -> Written:
    """Read, upscale and write one image or series.

    Args:
        upscaler: what super-resolves.
        job: what `plan` gave.
        overwrite: replace an earlier output.
        progress: called with (frames done, frames in all).

    Returns:
        What was written.

    Raises:
        InputError: if the input cannot be read, or the output is not allowed.
        MonaiSRError: if writing fails; nothing is left half-written.
    """
    volume = job.read()
    intervals = (job.intervals or interval_path(job.destination)) if upscaler.uncertainty else None
    check_output(volume, job.destination, overwrite, job.dicom, intervals)
    with ahead(volume) as read, ahead(upscaler.stream(read, progress)) as finer:
        write_volume(finer, job.destination, upscaler.provenance, overwrite, job.dicom, intervals)
    width = finer.intervals.width() if finer.intervals else None
    return Written(len(volume.array), finer.consistency, finer.findings, width, finer.compared)


def _file_destination(source: Path, destination: Path) -> Path:
    if destination.suffix and not destination.is_dir():
        return destination
    # Without a suffix a folder is meant: DICOM fills it, other formats put one file of the same name there.
    if is_image(source):
        return destination / output_name(source.name)
    if is_itk(source):
        return (
            destination
            / source.with_suffix(".mha" if source.suffix.lower() == ".mhd" else source.suffix).name
        )
    return destination / source.name if is_nifti(source) else destination
