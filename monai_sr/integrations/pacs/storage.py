"""Storing a derived series in a PACS (STOW-RS), whole or with an error that says what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import cast

from pydicom import dcmread
from pydicom.dataset import Dataset
from requests import Response
from requests.exceptions import HTTPError

from monai_sr.errors import MonaiSRError
from monai_sr.integrations.pacs.server import Pacs
from monai_sr.integrations.pacs.session import PacsError, UnavailableError
from monai_sr.io.dicom_header import quiet_pydicom

BATCH_BYTES = 2**25
"""Images are stored in requests of at most 32 MiB, or of one image."""

_LOOKS = 5
_NAMED = 3


def store(pacs: Pacs, folder: Path) -> int:
    """Store a derived series, and see that the PACS holds it whole.

    Args:
        pacs: where it goes.
        folder: the files of one series, as `write_volume` leaves it.

    Returns:
        Number of images.

    Raises:
        PacsError: if the PACS does not take some; it says which, and how many are stored.
        UnavailableError: if it stops answering; storing again then completes the series.
    """
    files = {}
    with quiet_pydicom():
        for path in sorted(folder.iterdir()):
            header = dcmread(path, stop_before_pixels=True)
            files[str(header.SOPInstanceUID)] = path
            study, series = str(header.StudyInstanceUID), str(header.SeriesInstanceUID)
    reason = ""
    try:
        for batch in _batches(files):
            reason = _post(pacs, [files[uid] for uid in batch])
            if reason and not batch <= set(pacs.instances(study, series)):
                # The rest would only be more of a series that cannot be whole.
                break
        found = _found(pacs, study, series, files.keys(), bool(reason))
        missing = [path.name for uid, path in files.items() if uid not in found]
    except UnavailableError as error:
        raise UnavailableError(f"{str(error).rstrip('.')}; {_half(files)}") from None
    except KeyboardInterrupt:
        raise PacsError(f"Interrupted while storing in {pacs.address}; {_half(files)}") from None
    if missing:
        named = missing[:_NAMED] + ["others"] * (len(missing) > _NAMED)
        stored = len(files) - len(missing)
        state = f"{stored} are stored: remove them there, or" if stored else "none is stored:"
        raise PacsError(
            f"{pacs.address} does not take {len(missing)} of {len(files)} images ({', '.join(named)}"
            f"{reason and '; ' + reason}), and {state} see there why it refuses, then store again"
        )
    return len(files)


def _half(files: Mapping[str, Path]) -> str:
    return f"of {len(files)} images a part may be stored, and storing again completes them"


def _post(pacs: Pacs, files: list[Path]) -> str:
    """Store images; why any is refused, or nothing."""
    reason = ""
    try:
        try:
            answer = pacs.post(files)
        except HTTPError as error:
            response = cast(Response, error.response)
            reason = f"answer {response.status_code}"
            answer = Dataset.from_json(response.json())
        codes = {int(item.get("FailureReason") or 0) for item in answer.get("FailedSOPSequence") or ()}
    except MonaiSRError:
        raise
    except Exception:
        # Whatever it says, what it holds can still be asked for.
        return reason
    return ", ".join(f"failure {code:04X}" for code in sorted(codes)) or reason


def _found(pacs: Pacs, study_uid: str, series_uid: str, wanted: Set[str], refused: bool) -> Set[str]:
    """What is there of the wanted images, given the time that a PACS may take to list them."""
    for look in range(_LOOKS):
        found = wanted & set(pacs.instances(study_uid, series_uid))
        if refused or found == wanted:
            break
        pacs.pause(look)
    return found


def _batches(files: Mapping[str, Path]) -> Iterator[set[str]]:
    batch: set[str] = set()
    size = 0
    for uid, file in files.items():
        length = file.stat().st_size
        if batch and size + length > BATCH_BYTES:
            yield batch
            batch, size = set(), 0
        batch.add(uid)
        size += length
    yield batch
