"""The series of a PACS for MONAI Label, copied to this machine while they are worked on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom import dcmread

from monai_sr.errors import InputError
from monai_sr.integrations.monailabel.checks import NotFoundError, check_uid
from monai_sr.integrations.monailabel.local_store import LocalStore
from monai_sr.integrations.pacs.retrieval import retrieve
from monai_sr.integrations.pacs.server import Pacs
from monai_sr.integrations.pacs.session import AccessError, PacsError
from monai_sr.integrations.pacs.storage import store
from monai_sr.io.atomic import atomic_folder
from monai_sr.io.dicom_header import quiet_pydicom

_NO_IMAGES = frozenset(("AU", "DOC", "KO", "PLAN", "PR", "REG", "RTDOSE", "RTPLAN", "RTSTRUCT", "SEG", "SR"))


class PacsStore(LocalStore):
    """Series of a PACS, each known by its SeriesInstanceUID; results stay here, in the cache's `labels/TAG`.

    Args:
        pacs: where they are.
        folder: cache on this machine; it holds patients' images.
        search_filter: attribute -> value, which series are offered.
    """

    def __init__(self, pacs: Pacs, folder: Path, search_filter: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._pacs = pacs
        self._search_filter = search_filter
        super().__init__(folder)

    def source(self, image_id: object) -> Path:
        """The series, copied from the PACS unless the copy is up to date.

        Args:
            image_id: SeriesInstanceUID.

        Returns:
            A folder of DICOM files.

        Raises:
            InputError: if the PACS has no such series.
            PacsError: if it does not answer.
        """
        uid = check_uid(image_id)
        folder = Path(self._datastore.image_path()) / uid
        with self._answering():
            found = self._pacs.search(filters={"SeriesInstanceUID": uid})
            series = next((each for each in found if each.series_uid == uid), None)
            if series is None:
                raise NotFoundError("The PACS has no such series: name one by its SeriesInstanceUID.")
            names = set(map(_file_name, self._pacs.instances(series.study_uid, uid)))
            with self._lock:
                if not folder.is_dir() or {path.name for path in folder.iterdir()} != names:
                    with atomic_folder(folder) as partial:
                        retrieve(self._pacs, series, partial, _rename)
        return super().source(uid)

    def push(self, folder: Path) -> int:
        """Store a derived series in the PACS, where the same again changes nothing.

        Args:
            folder: its files.

        Returns:
            Number of images.

        Raises:
            PacsError: if the PACS has not all of it in the end.
        """
        with self._answering():
            return store(self._pacs, folder)

    def list_images(self) -> list[str]:
        """SeriesInstanceUIDs of the images that the PACS has now."""
        with self._answering():
            found = self._pacs.search(filters=self._search_filter)
            return [series.series_uid for series in found if series.modality not in _NO_IMAGES]

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Refuse: what a PACS takes in, it takes from its own clients.

        Args:
            image_id: as a client gave it.
            image_filename: the file.
            image_info: of the client.

        Raises:
            InputError: always.
        """
        raise InputError("This server takes its images from a PACS: send yours to the PACS.")

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Say what the PACS does not do as a client may know it, who gave neither address nor credentials."""
        try:
            yield
        except NotFoundError:
            raise
        except AccessError:
            raise PacsError(
                "The PACS refuses access: set MONAI_LABEL_DICOMWEB_USERNAME and "
                "MONAI_LABEL_DICOMWEB_PASSWORD where this server is started."
            ) from None
        except (PacsError, InputError) as error:
            told = str(error).replace(str(self._pacs.address), "The PACS")
            raise PacsError(f"{told.rstrip('.')}.") from None


def _rename(path: Path) -> None:
    with quiet_pydicom():
        image = dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
    path.rename(path.with_name(_file_name(str(image.SOPInstanceUID))))


def _file_name(instance_uid: str) -> str:
    # Which is the PACS's word, and a file's name is not for it to choose.
    return f"{hashlib.sha256(instance_uid.encode()).hexdigest()[:32]}.dcm"
