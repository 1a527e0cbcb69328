"""DICOMweb within bounds: a PACS that is down or slow holds no request for long."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from dicomweb_client import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset
from requests.adapters import HTTPAdapter

from monai_sr.errors import MonaiSRError
from monai_sr.integrations.monailabel.checks import NotFoundError, PacsError, check_uid

_logger = logging.getLogger(__name__)

TIMEOUT = (5.0, 120.0)
"""Seconds to connect, and that the PACS may stay silent."""

_SOP_INSTANCE_UID = "00080018"
_STUDY_INSTANCE_UID = "0020000D"
_SERIES_INSTANCE_UID = "0020000E"
_MODALITY = "00080060"
_NO_IMAGES = frozenset(("AU", "DOC", "KO", "PLAN", "PR", "REG", "RTDOSE", "RTPLAN", "RTSTRUCT", "SEG", "SR"))


class _Bounded(HTTPAdapter):
    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        options["timeout"] = options.get("timeout") or TIMEOUT
        return super().send(*arguments, **options)


def bounded_session(user: str = "", password: str = "") -> requests.Session:
    """A session of which no request waits for ever.

    Args:
        user: name for basic authentication, if any.
        password: likewise.

    Returns:
        The session.
    """
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Bounded())
    if user:
        session.auth = (user, password)
    return session


class PacsClient:
    """What this app asks of a PACS, in sentences where it does not answer.

    Args:
        client: speaks DICOMweb.
    """

    def __init__(self, client: DICOMwebClient) -> None:
        # A server that is down is down for every attempt of a series of them, too.
        client.set_http_retry_params(retry=False)
        self._client = client

    def series(self, search_filter: dict[str, Any]) -> list[str]:
        """Series of images that the PACS has now.

        Args:
            search_filter: attribute -> value, as DICOMweb searches.

        Returns:
            SeriesInstanceUIDs.

        Raises:
            PacsError: if the PACS does not answer.
        """
        with _answering():
            found = self._client.search_for_series(search_filters=search_filter, get_remaining=True)
        uids = (
            _value(entry, _SERIES_INSTANCE_UID)
            for entry in found
            if _value(entry, _MODALITY) not in _NO_IMAGES
        )
        return [uid for uid in uids if uid]

    def study_of(self, series_uid: str) -> str:
        """The study of a series.

        Args:
            series_uid: SeriesInstanceUID.

        Returns:
            StudyInstanceUID.

        Raises:
            NotFoundError: if the PACS has no such series.
            PacsError: if it does not answer.
        """
        with _answering():
            found = self._client.search_for_series(
                search_filters={"SeriesInstanceUID": check_uid(series_uid)}
            )
        studies = {
            _value(entry, _STUDY_INSTANCE_UID)
            for entry in found
            if _value(entry, _SERIES_INSTANCE_UID) == series_uid
        }
        if len(studies) != 1:
            raise NotFoundError("The PACS has no such series: name one by its SeriesInstanceUID.")
        return check_uid(studies.pop())

    def instances(self, study_uid: str, series_uid: str) -> set[str]:
        """Instances of a series that the PACS has now.

        Args:
            study_uid: StudyInstanceUID.
            series_uid: SeriesInstanceUID.

        Returns:
            SOPInstanceUIDs; none where there is no such series.

        Raises:
            PacsError: if the PACS does not answer.
        """
        with _answering():
            found = self._client.search_for_instances(study_uid, series_uid, get_remaining=True)
        return {check_uid(_value(entry, _SOP_INSTANCE_UID)) for entry in found}

    def download(self, study_uid: str, series_uid: str) -> Iterator[Dataset]:
        """The instances of a series, one at a time, as the PACS keeps them.

        Args:
            study_uid: StudyInstanceUID.
            series_uid: SeriesInstanceUID.

        Yields:
            An instance.

        Raises:
            PacsError: if the PACS does not answer.
        """
        with _answering():
            yield from self._client.iter_series(
                study_uid, series_uid, media_types=(("application/dicom", "*"),)
            )

    def store(self, files: Sequence[Path]) -> None:
        """Store a series in one transaction; what the PACS has of it already is not sent again.

        Args:
            files: its instances.

        Raises:
            PacsError: if the PACS has not all of it in the end.
        """
        images = [dcmread(file, stop_before_pixels=True) for file in files]
        study, series = str(images[0].StudyInstanceUID), str(images[0].SeriesInstanceUID)
        wanted = {str(image.SOPInstanceUID): file for image, file in zip(images, files, strict=True)}
        present = self.instances(study, series)
        missing = [dcmread(file) for uid, file in wanted.items() if uid not in present]
        if missing:
            with _answering():
                self._client.store_instances(missing, study)
        if left := wanted.keys() - self.instances(study, series):
            raise PacsError(
                f"The PACS has {len(wanted) - len(left)} of {len(wanted)} images of the new series: see why "
                "it refuses the others and push again, which sends those only."
            )


def _value(entry: dict[str, Any], tag: str) -> str:
    values = entry.get(tag, {}).get("Value") or [""]
    return str(values[0])


@contextmanager
def _answering() -> Iterator[None]:
    """Say in a sentence, without what was asked for, that a PACS does not do it."""
    try:
        yield
    except MonaiSRError:
        raise
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "an error"
        raise PacsError(f"The PACS answers {status}: see whether this server may do that there.") from None
    except (requests.RequestException, OSError):
        raise PacsError("The PACS does not answer: see whether it runs, and try again.") from None
    except Exception as error:
        # Whose message may hold anything of the patient.
        raise PacsError(f"The PACS gives an answer that cannot be read ({type(error).__name__}).") from None
