"""Fetching a series from a PACS (WADO-RS), whole or with an error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from dicomweb_client.uri import URI

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.pacs.multipart import MultipartError, write_part
from monai_sr.integrations.pacs.server import Pacs, PacsSeries
from monai_sr.integrations.pacs.session import MissingError, PacsError, patiently, read_body
from monai_sr.io.dicom_header import quiet_pydicom, read_header

MAX_INSTANCE_BYTES = 2**31
"""Largest instance that is retrieved, 2 GiB."""

_IDENTITY = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]


def retrieve(
    pacs: Pacs, series: PacsSeries, folder: Path, on_instance: Callable[[Path], None] = lambda path: None
) -> None:
    """Fetch a series, one instance after the other, in the encoding that the PACS holds.

    Args:
        pacs: where it is.
        series: as the PACS lists it.
        folder: empty; gets 00001.dcm and so on.
        on_instance: called with each file, and may raise to give up.

    Raises:
        MonaiSRError: if the series is not whole, or the server does not answer as it should.
    """
    uids = pacs.instances(series.study_uid, series.series_uid)
    if not uids:
        raise MissingError(f"{pacs.address} does not hold the series: check the address")
    remedy = "wait until the series is whole"
    if series.count is not None and series.count != len(uids):
        raise PacsError(f"{pacs.address} lists {len(uids)} of {series.count} instances; {remedy}")
    for number, uid in enumerate(uids, start=1):
        # The server's names never become ours.
        path = folder / f"{number:05d}.dcm"
        url = str(URI(pacs.address.url, series.study_uid, series.series_uid, uid))
        try:
            patiently(partial(_fetch, pacs, url, path), pacs.pause, pacs.retry)
        except MissingError:
            raise PacsError(f"{pacs.address} gave {number - 1} of {len(uids)} instances; {remedy}") from None
        if _identity(path) != (series.study_uid, series.series_uid, uid):
            raise PacsError(f"{pacs.address} sends something else than the image asked for; check the server")
        on_instance(path)


def _fetch(pacs: Pacs, url: str, path: Path) -> None:
    response = pacs.get(url)
    try:
        with (
            closing(read_body(response, pacs.address, MAX_INSTANCE_BYTES)) as chunks,
            path.open("wb") as file,
        ):
            write_part(response.headers.get("Content-Type", ""), chunks, file)
    except MultipartError as error:
        raise PacsError(f"{pacs.address} sends no DICOM file ({error}); check the server") from None
    except OSError as error:
        raise MonaiSRError(f"{path} could not be written ({error.strerror}); make room on the disk") from None


def _identity(path: Path) -> tuple[str, ...]:
    try:
        with quiet_pydicom():
            header = read_header(path, _IDENTITY)
    except InputError:
        header = None
    return () if header is None else tuple(str(header.get(keyword) or "") for keyword in _IDENTITY)
