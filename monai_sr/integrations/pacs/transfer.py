"""Upscaling from a PACS, into one, or both; every image lies in a temporary folder meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from monai_sr.batch import Outcome, Status, plan, run_job
from monai_sr.batch.archive import series_name
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.pacs.address import Address, is_pacs_address, parse_address
from monai_sr.integrations.pacs.retrieval import retrieve
from monai_sr.integrations.pacs.server import Pacs, PacsSeries
from monai_sr.integrations.pacs.session import (
    AccessError,
    MissingError,
    PacsError,
    UnavailableError,
    has_credentials,
)
from monai_sr.integrations.pacs.storage import store
from monai_sr.io import DicomOutput
from monai_sr.io.dicom_header import (
    ENHANCED_CLASSES,
    MULTI_FRAME_CLASSES,
    SINGLE_FRAME_CLASSES,
    quiet_pydicom,
    read_header,
)
from monai_sr.io.dicom_provenance import is_ours
from monai_sr.io.image import is_image
from monai_sr.io.itk import is_itk
from monai_sr.io.nifti import is_nifti
from monai_sr.io.remote import local_copy
from monai_sr.io.temporary import temporary_folder
from monai_sr.upscaler import Progress, Upscaler

_IMAGES = (*SINGLE_FRAME_CLASSES, *ENHANCED_CLASSES, *MULTI_FRAME_CLASSES)


class SkippedError(Exception):
    """A series that is not to be upscaled; the message says why."""


def open_servers(*addresses: Address, pause: Callable[[float], None] = time.sleep) -> list[Pacs]:
    """Servers by their addresses.

    Args:
        addresses: of the servers.
        pause: waits for seconds between attempts.

    Returns:
        A server for each, the same for the same.

    Raises:
        InputError: if credentials would go to a server that they may not be meant for.
    """
    if has_credentials() and len({address.url.split("/")[2] for address in addresses}) > 1:
        raise InputError(
            "The credentials in the environment are for one server, and two are named: unset them, and put "
            "those of each server into a netrc file."
        )
    servers = {address.url: Pacs(address, pause) for address in addresses}
    return [servers[address.url] for address in addresses]


def upscale_by_pacs(
    make_upscaler: Callable[[], Upscaler],
    source: str,
    destination: str,
    *,
    series: str | None = None,
    overwrite: bool = False,
    allow_private: bool = False,
    dicom: DicomOutput | None = None,
    include_derived: bool = False,
    progress: Callable[[str], Progress] | None = None,
) -> Iterator[Outcome]:
    """Upscale from a PACS into a folder, from files into a PACS, or from a PACS into a PACS.

    A series becomes the folder `destination`; the series of a study become folders series_HASH in it, of
    their UIDs. What goes into a PACS stands in the study of its source.

    Args:
        make_upscaler: gives what super-resolves, once there is something to do.
        source: dicomweb address of a study or a series, or a file, folder or web address.
        destination: dicomweb address of a server, or a folder.
        series: SeriesInstanceUID, to choose one series of a folder.
        overwrite: replace an earlier output folder.
        allow_private: whether a web address may be off the public internet.
        dicom: how DICOM is written.
        include_derived: also upscale what this software made, else skipped, or refused if named alone.
        progress: makes what is told of (frames done, frames in all) of a named series.

    Yields:
        What became of each series, as it ends. Of a study none stops the others.

    Raises:
        MonaiSRError: with the reason and the remedy.
    """
    target = _parse_destination(destination, overwrite) if is_pacs_address(destination) else None
    if not is_pacs_address(source):
        if target is None:
            raise ValueError("source and destination are both paths; use plan and run_job")
        pacs = open_servers(target)[0]
        with local_copy(source, allow_private) as path:
            yield from _from_files(make_upscaler, path, pacs, series, dicom, include_derived, progress)
        return
    address = parse_address(source)
    if address.study_uid is None:
        raise InputError(f"{address} names no study: add /studies/UID, and perhaps /series/UID.")
    if series is not None or allow_private:
        raise InputError(
            "--series and --allow-private do not go with a dicomweb source: name the series in its address."
        )
    servers = open_servers(*filter(None, (address, target)))
    found = _find(servers[0], address)
    upscaler = make_upscaler()
    for entry in found:
        name = series_name(entry.study_uid, entry.series_uid)
        folder = Path(destination) if address.series_uid else Path(destination) / name
        report = progress(name) if progress else None
        try:
            if target:
                images = transfer(
                    upscaler,
                    servers[0],
                    entry,
                    servers[1],
                    dicom,
                    report,
                    address.series_uid is None,
                    include_derived=include_derived,
                )
            else:
                with fetched(
                    servers[0], entry, address.series_uid is None, include_derived=include_derived
                ) as path:
                    job = plan(path, folder, dicom=dicom, include_derived=include_derived)[0]
                    images = run_job(upscaler, job, overwrite, report).frames
        except SkippedError as reason:
            yield Outcome("skipped", name, None, (), 0, reason=str(reason))
        except (UnavailableError, AccessError):
            raise
        except MonaiSRError as error:
            if address.series_uid:
                raise
            status: Status = "refused" if isinstance(error, InputError) else "failed"
            yield Outcome(status, name, None, (), 0, reason=str(error))
        else:
            yield Outcome("done", name, str(target or folder), (), 0, images)


def transfer(
    upscaler: Upscaler,
    source: Pacs,
    series: PacsSeries,
    target: Pacs,
    dicom: DicomOutput | None = None,
    progress: Progress | None = None,
    select: bool = True,
    check: Callable[[Path], None] = lambda path: None,
    work: Path | None = None,
    include_derived: bool = False,
) -> int:
    """Upscale a series of a PACS and store what becomes of it.

    Args:
        upscaler: what super-resolves.
        source: PACS that holds the series.
        series: as it lists it.
        target: PACS that gets the derived series.
        dicom: how that is written.
        progress: called with (frames done, frames in all).
        select: see `fetched`.
        check: likewise.
        work: folder for what is only needed for the while; the system's by default.
        include_derived: see `fetched`.

    Returns:
        Number of frames.

    Raises:
        SkippedError: if the series is not to be upscaled.
        MonaiSRError: with the reason and the remedy.
    """
    with (
        fetched(source, series, select, check, work, include_derived) as path,
        temporary_folder(work) as out,
    ):
        job = plan(path, out / path.name, dicom=dicom, include_derived=include_derived)[0]
        frames = run_job(upscaler, job, progress=progress).frames
        store(target, job.destination)
    return frames


@contextmanager
def fetched(
    pacs: Pacs,
    series: PacsSeries,
    select: bool,
    check: Callable[[Path], None] = lambda path: None,
    work: Path | None = None,
    include_derived: bool = False,
) -> Iterator[Path]:
    """A series of a PACS as a folder, for the while.

    Args:
        pacs: where it is.
        series: as it lists it.
        select: whether to skip a series that this software made, or that is of no class of images it knows.
        check: called with the first file, and may raise to skip the rest.
        work: folder to put it in; the system's by default.
        include_derived: whether what this software made is not skipped.

    Yields:
        The folder, named series_HASH.

    Raises:
        SkippedError: if the series is not to be upscaled.
        MonaiSRError: with the reason and the remedy; it speaks of the series, not of the temporary folder.
    """
    with temporary_folder(work) as parent:
        folder = parent / series_name(series.study_uid, series.series_uid)
        folder.mkdir()

        def look(path: Path) -> None:
            # A moment at which to be stopped.
            pacs.pause(0)
            if path.stem == "00001":
                if select:
                    _select(path, include_derived)
                check(path)

        with _without_folder(parent):
            retrieve(pacs, series, folder, look)
            yield folder


def _from_files(
    make_upscaler: Callable[[], Upscaler],
    path: Path,
    pacs: Pacs,
    series: str | None,
    dicom: DicomOutput | None,
    include_derived: bool,
    progress: Callable[[str], Progress] | None,
) -> Iterator[Outcome]:
    if path.is_file() and (is_image(path) or is_itk(path) or is_nifti(path)):
        raise InputError(f"{path} is no DICOM, which is all that a PACS stores; name a folder as destination")
    with temporary_folder() as out:
        jobs = plan(path, out / "series", series, dicom, include_derived)
        upscaler = make_upscaler()
        for number, job in enumerate(jobs, start=1):
            name = f"series {number} of {len(jobs)}"
            frames = run_job(upscaler, job, progress=progress(name) if progress else None).frames
            store(pacs, job.destination)
            yield Outcome("done", name, str(pacs.address), (), 0, frames)


def _parse_destination(text: str, overwrite: bool) -> Address:
    address = parse_address(text)
    if address.study_uid:
        raise InputError(
            "A derived series goes into the study of its source: let the destination end before /studies."
        )
    if overwrite:
        raise InputError(
            "--overwrite does not go with a PACS, where the same again changes nothing: leave it out."
        )
    return address


def _find(pacs: Pacs, address: Address) -> list[PacsSeries]:
    try:
        found = sorted(pacs.search(address.study_uid), key=lambda entry: entry.series_uid)
    except MissingError:
        found = []
    wanted = (address.study_uid, address.series_uid)
    found = [each for each in found if (each.study_uid, each.series_uid if wanted[1] else None) == wanted]
    if not found:
        kind = "series" if address.series_uid else "study"
        raise MissingError(f"{pacs.address} holds no such {kind}: check the address and the UIDs in it.")
    return found


def _select(path: Path, include_derived: bool) -> None:
    with quiet_pydicom():
        header = read_header(path, ["SOPClassUID", "Rows", "ContributingEquipmentSequence"])
    if header is None or header.get("SOPClassUID") not in _IMAGES or "Rows" not in header:
        raise SkippedError("it is of no kind of image that can be upscaled")
    if is_ours(header) and not include_derived:
        raise SkippedError("monai-sr made it")


@contextmanager
def _without_folder(parent: Path) -> Iterator[None]:
    """Let errors name files by their series alone, since the folder above is gone when they are read."""
    try:
        yield
    except PacsError:
        raise
    except MonaiSRError as error:
        raise type(error)(str(error).replace(f"{parent}/", "")) from None
