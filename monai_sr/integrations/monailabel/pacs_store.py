"""The series of a PACS for MONAI Label, copied to this machine while they are worked on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_sr.errors import InputError
from monai_sr.integrations.monailabel.checks import check_uid
from monai_sr.integrations.monailabel.local_store import LocalStore
from monai_sr.integrations.monailabel.pacs_client import PacsClient
from monai_sr.io.atomic import atomic_folder
from monai_sr.io.dicom_header import quiet_pydicom


class PacsStore(LocalStore):
    """Series of a PACS, each known by its SeriesInstanceUID; results stay here, in the cache's `labels/TAG`.

    Args:
        client: speaks to the PACS.
        folder: cache on this machine; it holds patients' images.
        search_filter: attribute -> value, which series are offered.
    """

    def __init__(self, client: PacsClient, folder: Path, search_filter: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.client = client
        self._search_filter = dict(search_filter)
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
        study = self.client.study_of(uid)
        names = {_file_name(instance) for instance in self.client.instances(study, uid)}
        with self._lock:
            if not folder.is_dir() or {path.name for path in folder.iterdir()} != names:
                with atomic_folder(folder) as partial, quiet_pydicom():
                    for image in self.client.download(study, uid):
                        image.save_as(
                            partial / _file_name(str(image.SOPInstanceUID)), enforce_file_format=True
                        )
        return super().source(uid)

    def list_images(self) -> list[str]:
        """SeriesInstanceUIDs of the images that the PACS has now."""
        return self.client.series(self._search_filter)

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


def _file_name(instance_uid: str) -> str:
    # Which is the PACS's word, and a file's name is not for it to choose.
    return f"{hashlib.sha256(instance_uid.encode()).hexdigest()[:32]}.dcm"
