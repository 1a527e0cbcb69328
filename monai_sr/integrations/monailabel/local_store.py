"""A folder of images for MONAI Label: NIfTI, NRRD, pictures, DICOM, and subfolders that hold a series."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from threading import RLock
from typing import Any

from monailabel.datastore.local import LocalDatastore
from pydicom.misc import is_dicom

from monai_sr.errors import InputError
from monai_sr.integrations.monailabel.checks import (
    EXTENSIONS,
    NotFoundError,
    check_name,
    check_tag,
)
from monai_sr.integrations.monailabel.image_file import write_image_file
from monai_sr.io import open_volume
from monai_sr.io.atomic import atomic_file

_FILES = (*EXTENSIONS, ".png", ".tif", ".tiff", ".jpg", ".jpeg", ".dcm")
_CONVERTED = ".converted"
_LOOKED_AT = 5


class LocalStore(LocalDatastore):
    """Images of a folder, each known by its name without the ending; results go to `labels/TAG` in it.

    Unlike MONAI Label's own store it refuses names that lead elsewhere, replaces no image, knows DICOM, and
    looks into the folder whenever it is asked, rather than watching it.

    Args:
        folder: of the images.
        read_only: whether the folder's content is taken as its `datastore_v2.json` has it.
    """

    def __init__(self, folder: Path, read_only: bool = False) -> None:
        self._lock = RLock()
        self._read_only = read_only
        patterns = tuple(f"*{extension}" for extension in _FILES)
        super().__init__(str(folder), extensions=patterns, auto_reload=False, read_only=read_only)

    def source(self, image_id: object) -> Path:
        """The image itself, as it lies in the folder.

        Args:
            image_id: as a client gave it.

        Returns:
            A file, or a folder of DICOM files.

        Raises:
            InputError: if there is no such image.
        """
        name = check_name(image_id)
        self.refresh()
        with self._lock:
            found = self._datastore.objects.get(name)
        if found is None:
            raise NotFoundError(
                "There is no image of this name in the datastore: see what /datastore/ lists."
            )
        return Path(self._datastore.image_path(), self._filename(name, found.image.ext))

    def get_image_uri(self, image_id: str) -> str:
        """The image as one file that a viewer can load, which DICOM is made into.

        Args:
            image_id: as a client gave it.

        Returns:
            Its path.

        Raises:
            InputError: if there is no such image, or it cannot be read.
        """
        source = self.source(image_id)
        if source.is_file() and source.suffix.lower() != ".dcm":
            return str(source.resolve())
        converted = source.parent / _CONVERTED / f"{image_id}{EXTENSIONS[0]}"
        with self._lock:
            if not converted.exists() or converted.stat().st_mtime < source.stat().st_mtime:
                write_image_file(open_volume(source), converted)
        return str(converted.resolve())

    def list_images(self) -> list[str]:
        """Names of the images that are there now."""
        self.refresh()
        with self._lock:
            return list(self._datastore.objects)

    def refresh(self) -> None:
        """See what is new in the folder and what is gone."""
        if not self._read_only:
            with self._lock:
                super().refresh()

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """What is kept about an image, and no path of the server.

        Args:
            image_id: as a client gave it.

        Returns:
            JSON.
        """
        self.source(image_id)
        return dict(self._datastore.objects[image_id].image.info)

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Take a new image in.

        Args:
            image_id: its name; empty for that of the file.
            image_filename: the file.
            image_info: to keep about it.

        Returns:
            The name.

        Raises:
            InputError: if the name or the format cannot be used, or the name is taken.
        """
        own, extension = self._to_id(Path(image_filename).name)
        name = check_name(image_id or own)
        if extension not in _FILES:
            raise InputError(f"An image's file must end in {', '.join(_FILES)}: convert it.")
        try:
            open_volume(image_filename)
        except InputError:
            raise InputError(
                "The file is no image that can be read: see whether it opens elsewhere."
            ) from None
        if name in self.list_images() or name == self._datastore.labels_dir:
            raise InputError("There is an image of this name already, and none is replaced: choose another.")
        target = Path(self._datastore.image_path()) / f"{name}{extension}"
        with atomic_file(target) as file:
            shutil.copyfile(image_filename, file)
        self.refresh()
        if image_info:
            self.update_image_info(name, image_info)
        return name

    def save_label(
        self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]
    ) -> str:
        """Keep a result under a tag.

        Args:
            image_id: the image that it is of.
            label_filename: the file.
            label_tag: a word.
            label_info: to keep about it.

        Returns:
            The image's name.

        Raises:
            InputError: if image, tag or format cannot be used.
        """
        self.source(image_id)
        if self._to_id(Path(label_filename).name)[1] not in _FILES:
            raise InputError(f"A result's file must end in {', '.join(_FILES)}: convert it.")
        with self._lock:
            return str(super().save_label(image_id, label_filename, check_tag(label_tag), label_info))

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """File of a result.

        Args:
            label_id: the image's name.
            label_tag: the tag.

        Returns:
            Its path; empty if there is none.

        Raises:
            InputError: if there is no such image, or the tag is none.
        """
        self.source(label_id)
        return str(super().get_label_uri(label_id, check_tag(label_tag)))

    def remove_image(self, image_id: str) -> None:
        """Refuse: a server of finer images deletes no source.

        Args:
            image_id: as a client gave it.

        Raises:
            InputError: always.
        """
        raise InputError("This server deletes no image: remove it from the folder yourself.")

    def _to_id(self, file: str) -> tuple[str, str]:
        lower = file.lower()
        extension = next((known for known in _FILES if lower.endswith(known)), "")
        cut = len(file) - len(extension)
        return file[:cut], file[cut:]

    def _list_files(self, path: str, patterns: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {
            name: name
            for name in super()._list_files(path, patterns)
            if not name.startswith(".") and os.path.isfile(os.path.join(path, name))
        }
        if Path(path) == Path(self._datastore.image_path()):
            found |= {name: name for name in _series_folders(Path(path), self._datastore.labels_dir)}
        return found


def _series_folders(folder: Path, labels: str) -> list[str]:
    """Names of the subfolders in whose first files there is DICOM."""
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.is_dir()
        and entry.name != labels
        and not entry.name.startswith(".")
        and _is_dicom(entry.path)
    )


def _is_dicom(folder: str) -> bool:
    looked_at = 0
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and is_dicom(path):
                return True
            looked_at += 1
            if looked_at == _LOOKED_AT:
                return False
    return False
