"""A whole archive: every image below a folder, each a job on its own, reported so that it can be resumed."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from monai_sr.batch.jobs import Job, Written, run_job
from monai_sr.batch.report import Outcome, Report, Status, open_report
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io import DicomOutput, Series, interval_path, open_volume
from monai_sr.io.atomic import check_apart
from monai_sr.io.dicom import scan_folder
from monai_sr.io.nifti import is_nifti
from monai_sr.upscaler import Upscaler
from monai_sr.volume import Consistency, Volume

_SUFFIXES = (".mha", ".nrrd", ".png", ".tif", ".tiff")
"""What is upscaled beside DICOM and NIfTI: files that keep their name, unlike JPEG, mostly previews."""

_FOUND = "found whole, since an earlier run was stopped before it could record it"


class _DerivedError(Exception):
    """A series that this software made; the message says what to do."""


@dataclass(frozen=True)
class ArchiveJob(Job):
    """One series or file of an archive.

    Args:
        name: destination from the output folder; it depends on nothing but the source.
        sources: folders of the files of the series, or the one file, from the archive.
        files: number of files.
    """

    name: str
    sources: tuple[str, ...]
    files: int


Engine = Callable[[Iterator[ArchiveJob]], Iterator[Outcome]]
"""Does jobs, each taken when there is room for it, and gives what became of each as it ends."""


@dataclass(frozen=True)
class Summary:
    """What became of an archive in one run.

    Args:
        counts: number of jobs of each status.
        others: number of files that are no images.
        with_findings: number of those done that something speaks against.
    """

    counts: Counter[Status]
    others: int
    with_findings: int


def run_archive(
    upscaler: Upscaler,
    archive: Path,
    out: Path,
    *,
    resume: bool = False,
    include_derived: bool = False,
    dicom: DicomOutput | None = None,
    engine: Engine | None = None,
    on_outcome: Callable[[Outcome, int], None] = lambda outcome, total: None,
) -> Summary:
    """Upscale every image below a folder; none stops the others.

    A series becomes `out`/series_HASH, of its StudyInstanceUID and SeriesInstanceUID; NIfTI, .mha, .nrrd,
    PNG and TIFF become `out`/files/PATH, their path in the archive; intervals have the same names below
    `out`/intervals. `out`/report.jsonl says what became of
    each. A run that was stopped, however, can be resumed, and in the end gives the same bytes as an
    undisturbed one.

    Args:
        upscaler: what super-resolves.
        archive: folder that is searched, subfolders included.
        out: folder that is made.
        resume: continue an earlier batch: what is done stays, unless its series has gained or lost files.
        include_derived: upscale also the series that this software made.
        dicom: how DICOM is written; other formats stay as they are.
        engine: does the jobs; one after the other, here, by default.
        on_outcome: called with what became of each job, as it ends, and with the number of jobs.

    Returns:
        What became of the archive.

    Raises:
        InputError: if there is nothing to upscale, or the output cannot be used.
        MonaiSRError: if the disk refuses the report.
    """
    if not archive.is_dir():
        raise InputError(f"{archive} is not a folder; name the folder of an archive")
    check_apart(out, archive)
    dicom = dicom or DicomOutput()
    settings = asdict(upscaler.provenance) | asdict(dicom) | {"archive": str(archive.resolve())}
    with_intervals = upscaler.uncertainty is not None
    settings["uncertainty"] = with_intervals or None
    del settings["description"]  # which follows from the weights
    is_new = not out.exists()
    with open_report(out, settings, resume) as report:
        jobs, others = plan_archive(archive, out, include_derived, dicom, with_intervals)
        if not jobs:
            if is_new:
                shutil.rmtree(out)
            raise InputError(f"{archive} holds no image ({others} other files); name another folder")
        # A job that ends its process, for want of memory, say, must not keep the others from being done.
        jobs.sort(key=lambda job: job.name in report.unfinished and not job.destination.exists())
        counts: Counter[Status] = Counter()
        with_findings = 0
        for outcome in _outcomes(jobs, report, engine or partial(_in_turn, upscaler)):
            counts[outcome.status] += 1
            with_findings += bool(outcome.findings)
            on_outcome(outcome, len(jobs))
    return Summary(counts, others, with_findings)


def plan_archive(
    archive: Path,
    out: Path,
    include_derived: bool = False,
    dicom: DicomOutput | None = None,
    with_intervals: bool = False,
) -> tuple[list[ArchiveJob], int]:
    """Every image below a folder, from headers alone.

    Args:
        archive: folder that is searched.
        out: where outputs go.
        include_derived: whether series that this software made are to be upscaled, too.
        dicom: how DICOM is written.
        with_intervals: whether intervals are wanted, too.

    Returns:
        The jobs, among them one that will refuse for each damaged file of an unknown series, and the number
        of files that are no images.
    """
    scan = scan_folder(archive)
    jobs = []
    for series in scan.series:
        reasons = [scan.damaged.pop(path) for path in series.paths if path in scan.damaged]
        folders = sorted({path.parent for path in series.paths})
        series = replace(series, folder=Path(os.path.commonpath(folders)))
        read = partial(_refuse, reasons[0]) if reasons else partial(_read, series, include_derived)
        sources = tuple(folder.relative_to(archive).as_posix() for folder in folders)
        name = series_name(series.study_uid, series.series_uid, "" if series.series_uid else sources[0])
        jobs.append(ArchiveJob(read, out / name, name, sources, len(series.paths), dicom=dicom))
    images = [path for path in scan.others if is_nifti(path) or path.suffix.lower() in _SUFFIXES]
    for path, reason in (*scan.damaged.items(), *((path, None) for path in images)):
        source = path.relative_to(archive).as_posix()
        file_read = partial(_refuse, reason) if reason else partial(open_volume, path)
        jobs.append(ArchiveJob(file_read, out / "files" / source, f"files/{source}", (source,), 1))
    if with_intervals:
        # Apart from the files, whose names might be any.
        jobs = [replace(job, intervals=interval_path(out / "intervals" / job.name)) for job in jobs]
    return jobs, len(scan.others) - len(images)


def series_name(study_uid: str, series_uid: str, folder: str = "") -> str:
    """Name of a series that tells nothing of the patient, and is the same whatever else there is.

    Args:
        study_uid: StudyInstanceUID.
        series_uid: SeriesInstanceUID.
        folder: stands for the series where it has no UID.

    Returns:
        series_HASH.

    Example:
        >>> series_name("1.2", "1.2.3")
        'series_5b823a4f5a530220c60227105c5473a8'
    """
    key = (study_uid, series_uid, folder)
    return f"series_{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}"


def _refuse(reason: str) -> Volume:
    raise InputError(reason)


def _read(series: Series, include_derived: bool) -> Volume:
    if not include_derived and series.is_derived():
        raise _DerivedError(
            f"{series.folder} holds a series that monai-sr made; add --include-derived to upscale it again"
        )
    return series.read()


def _in_turn(upscaler: Upscaler, jobs: Iterator[ArchiveJob]) -> Iterator[Outcome]:
    for job in jobs:
        yield attempt(upscaler, job)


def _outcomes(jobs: list[ArchiveJob], report: Report, engine: Engine) -> Iterator[Outcome]:
    """See to it that every job is done and recorded."""
    settled: list[Outcome] = []
    begun: list[ArchiveJob] = []

    def to_do() -> Iterator[ArchiveJob]:
        for job in jobs:
            if (outcome := _settled(job, report)) is not None:
                settled.append(outcome)
                continue
            if not job.destination.exists():
                begun.append(job)
            report.begin(job.name)
            yield job

    try:
        for outcome in engine(to_do()):
            report.add(outcome)
            yield from (*settled, outcome)
            settled.clear()
    except KeyboardInterrupt:
        # It may come when an output is there, and before the record is.
        for job in begun:
            if job.name not in report.done and (found := _found(job)):
                report.add(found)
        raise
    yield from settled


def _settled(job: ArchiveJob, report: Report) -> Outcome | None:
    """What became of a job in an earlier run, where nothing is left to do."""
    recorded, present = report.done.get(job.name), job.destination.exists()
    present = present and (job.intervals is None or job.intervals.exists())
    if present and recorded == job.files:
        return Outcome("skipped", job.name, job.name, job.sources, job.files, reason="done by an earlier run")
    if present and recorded is None and (found := _found(job)):
        report.add(found)
        return replace(found, status="skipped")
    return None


def _found(job: ArchiveJob) -> Outcome | None:
    """A job whose output is there, which is always whole, though nothing was recorded."""
    if job.intervals is not None and not job.intervals.exists():
        return None
    try:
        images = len(open_volume(job.destination).array)
    except InputError:
        return None
    return Outcome("done", job.name, job.name, job.sources, job.files, images, _FOUND)


def attempt(upscaler: Upscaler, job: ArchiveJob) -> Outcome:
    """Do a job, whatever happens.

    Args:
        upscaler: what super-resolves.
        job: of an archive.

    Returns:
        What became of it.
    """
    start = time.monotonic()

    def ended(status: Status, reason: str = "", written: Written | None = None) -> Outcome:
        seconds = round(time.monotonic() - start, 3)
        output = job.name if status == "done" else None
        images = written.frames if written else 0
        consistency = Consistency.over(written.consistency.values()) if written else None
        return Outcome(
            *(status, job.name, output, job.sources, job.files, images, reason, seconds, consistency),
            findings=written.findings if written else (),
            interval=written.interval if written else None,
        )

    try:
        return ended("done", written=run_job(upscaler, job, overwrite=True))
    except _DerivedError as error:
        return ended("skipped", str(error))
    except InputError as error:
        return ended("refused", str(error))
    except MonaiSRError as error:
        return ended("failed", str(error))
    except Exception as error:
        # Whose message may hold anything of the patient.
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        return ended("failed", f"{type(error).__name__} in {where}, which was not expected; please report it")
