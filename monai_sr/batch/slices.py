"""One source: read, its slices between found, and written."""

from __future__ import annotations

from monai_sr.batch.jobs import Job
from monai_sr.io import check_output
from monai_sr.io.slice_writer import write_slices
from monai_sr.io.slices import slice_thickness
from monai_sr.through_plane import ThroughPlane
from monai_sr.upscaler import Progress
from monai_sr.volume import Volume


def run_through_plane(
    through: ThroughPlane,
    job: Job,
    slice_factor: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Volume:
    """Read an MR volume, find the slices between its slices and write it.

    Args:
        through: what finds them.
        job: what `plan` gave.
        slice_factor: as of `ThroughPlane.grid`.
        overwrite: replace an earlier output.
        progress: called with (steps done, steps in all).

    Returns:
        What was written.

    Raises:
        InputError: if the input cannot be read or has no slices between, or the output is not allowed.
        MonaiSRError: if writing fails; nothing is left half-written.
    """
    volume = job.read()
    thickness = slice_thickness(volume)
    check_output(volume, job.destination, overwrite, job.dicom)
    finer = through(volume, thickness, slice_factor, progress)
    write_slices(finer, job.destination, through.provenance, job.dicom)
    return finer
