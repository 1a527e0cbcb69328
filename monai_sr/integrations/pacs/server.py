"""A DICOMweb server: the requests that it answers, and what it holds (QIDO-RS)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from dicomweb_client.web import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset
from requests.auth import AuthBase

from monai_sr.errors import MonaiSRError
from monai_sr.integrations.pacs.address import Address, is_uid
from monai_sr.integrations.pacs.session import TIMEOUT, MissingError, PacsError, open_session
from monai_sr.io.dicom_header import quiet_pydicom

PAGE = 500
"""Results that are asked for at once."""

MAX_RESULTS = 10**6
"""Most series, or instances of one series, that a server may list."""

_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
_MODALITY, _DESCRIPTION, _COUNT = "00080060", "0008103E", "00201209"
_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'


@dataclass(frozen=True)
class PacsSeries:
    """A series as a PACS lists it.

    Args:
        study_uid: StudyInstanceUID.
        series_uid: SeriesInstanceUID.
        modality: Modality, empty where the PACS does not tell.
        description: SeriesDescription, likewise.
        count: number of its instances, or None where the PACS does not tell.
    """

    study_uid: str
    series_uid: str
    modality: str = ""
    description: str = ""
    count: int | None = None


class Pacs:
    """A DICOMweb server.

    Args:
        address: of the server; a study or series in it means nothing here.
        pause: waits for seconds between attempts, and may raise to give up.
        retry: whether to try again what fails for the moment; not where a person waits for the answer.
        auth: credentials; those of the environment or netrc by default.

    Raises:
        InputError: if the credentials in the environment contradict each other.
    """

    def __init__(
        self,
        address: Address,
        pause: Callable[[float], None] = time.sleep,
        retry: bool = True,
        auth: AuthBase | None = None,
    ) -> None:
        self.address = address
        self.pause = pause
        self.retry = retry
        self._session = open_session(address, pause, retry, auth)
        # What is sent in chunks could not be sent again.
        self._client = DICOMwebClient(address.url, self._session, chunk_size=2**62, timeout=TIMEOUT)
        self._client.set_http_retry_params(retry=False)

    def search(
        self, study_uid: str | None = None, filters: Mapping[str, str] | None = None
    ) -> Iterator[PacsSeries]:
        """Series that the PACS holds, page by page.

        Args:
            study_uid: of which study; of all by default.
            filters: what to match, by DICOM keyword.

        Yields:
            Each series once; one whose UIDs are none is left out.

        Raises:
            MonaiSRError: if the server does not answer as it should.
        """

        def page(offset: int) -> list[dict[str, Any]]:
            return self._client.search_for_series(
                study_uid,
                limit=PAGE,
                offset=offset,
                fields=["NumberOfSeriesRelatedInstances", "SeriesDescription", "Modality"],
                search_filters=dict(filters or {}),
            )

        for entry in self._paged(page, _SERIES):
            study, series = str(_value(entry, _STUDY) or study_uid), str(_value(entry, _SERIES))
            count = str(_value(entry, _COUNT))
            if is_uid(study) and is_uid(series):
                yield PacsSeries(
                    study,
                    series,
                    str(_value(entry, _MODALITY) or ""),
                    str(_value(entry, _DESCRIPTION) or ""),
                    int(count) if count.isdecimal() else None,
                )

    def instances(self, study_uid: str, series_uid: str) -> list[str]:
        """Instances that the PACS holds of a series.

        Args:
            study_uid: StudyInstanceUID.
            series_uid: SeriesInstanceUID.

        Returns:
            Their SOPInstanceUIDs, sorted; none where there is no such series.

        Raises:
            MonaiSRError: if the server does not answer as it should.
        """

        def page(offset: int) -> list[dict[str, Any]]:
            return self._client.search_for_instances(study_uid, series_uid, limit=PAGE, offset=offset)

        try:
            found = [str(_value(entry, _INSTANCE)) for entry in self._paged(page, _INSTANCE)]
        except MissingError:
            return []
        if not all(map(is_uid, found)):
            raise PacsError(f"{self.address} lists an instance whose UID is none; look after it there")
        return sorted(found)

    def get(self, url: str) -> requests.Response:
        """Ask for an instance as the PACS stores it, once.

        Args:
            url: of the instance.

        Returns:
            The answer, whose body is to be read by `read_body`.

        Raises:
            MonaiSRError: if the server does not answer as it should.
        """
        with quiet_libraries():
            response = self._session.get(url, headers={"Accept": _AS_STORED}, stream=True, timeout=TIMEOUT)
        if response.status_code != 200:
            response.close()
            raise PacsError(
                f"{self.address} answers {response.status_code} to a request for an image; check it"
            )
        return response

    def post(self, files: Sequence[Path]) -> Dataset:
        """Send instances to be stored.

        Args:
            files: DICOM files of our own.

        Returns:
            What the server says of each, if anything.

        Raises:
            MonaiSRError: if it does not answer.
            requests.HTTPError: if it refuses.
            Exception: of any type, if it answers in another language.
        """
        with quiet_libraries():
            return self._client.store_instances([dcmread(path) for path in files])

    def _paged(self, page: Callable[[int], list[dict[str, Any]]], key: str) -> Iterator[dict[str, Any]]:
        """Results of every page, each once."""
        seen: set[Any] = set()
        while len(seen) <= MAX_RESULTS:
            fresh = [entry for entry in self._asked(page, len(seen)) if _value(entry, key) not in seen]
            # A server that knows no pages gives everything each time.
            if not fresh:
                return
            seen.update(_value(entry, key) for entry in fresh)
            yield from fresh
        raise PacsError(f"{self.address} lists over {MAX_RESULTS} results; narrow the search")

    def _asked(self, page: Callable[[int], list[dict[str, Any]]], offset: int) -> list[dict[str, Any]]:
        try:
            with quiet_libraries():
                results = page(offset)
        except MonaiSRError:
            raise
        except Exception:
            # Whose message may hold anything that the server said.
            results = None
        if not isinstance(results, list) or not all(isinstance(entry, dict) for entry in results):
            raise PacsError(f"{self.address} does not answer a search as DICOMweb does; check the address")
        return results


def _value(entry: Mapping[str, Any], tag: str) -> str | int | None:
    """First value of an attribute in DICOM JSON."""
    element = entry.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    value = values[0] if isinstance(values, list) and values else None
    return value if isinstance(value, str | int) else None


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence the libraries beneath, whose records hold UIDs and whatever a server says."""
    names = "dicomweb_client.web", "retrying", "urllib3.connectionpool"
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        with quiet_pydicom():
            yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
