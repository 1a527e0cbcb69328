"""What was uploaded: under names of our own, unpacked within bounds, and which of it is the image."""

from __future__ import annotations

import errno
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from monai_sr.errors import InputError
from monai_sr.integrations.web.refusals import TooLargeError
from monai_sr.integrations.web.settings import MAX_FILES
from monai_sr.io.dicom import scan_folder
from monai_sr.io.image import is_image
from monai_sr.io.itk import is_itk
from monai_sr.io.nifti import is_nifti

RECEIVED, IMAGES, RESULT = "received", "images", "result"
"""Folders of a job: what arrives, what is upscaled, what becomes of it."""

_SUFFIX = re.compile(r"\.(dcm|nii|nii\.gz|mha|mhd|nrrd|png|tiff?|jpe?g|zip)", re.IGNORECASE)
_CHUNK = 2**20
_DAMAGED = "The zip is damaged or of an uncommon kind; pack it again"


def stored_path(root: Path, folder: int, number: int, suffix: str) -> Path:
    """Where a file is kept: nothing of its own name but its kind, which tells the readers their format.

    Args:
        root: folder of the upload.
        folder: number of the folder that it came in; files without a UID belong together by it.
        number: of the file, from 1, in the order of the names.
        suffix: any text; what names no format that is read is dropped.

    Returns:
        The path.

    Example:
        >>> stored_path(Path("upload"), 0, 7, ".NII.gz").as_posix(), stored_path(Path(), 1, 2, "/../x").name
        ('upload/00000/00007.nii.gz', '00002')
    """
    kind = suffix.lower() if _SUFFIX.fullmatch(suffix) else ""
    return root / f"{folder:05d}" / f"{number:05d}{kind}"


def neutral(message: str, folder: Path) -> str:
    """A sentence about an upload, in words that tell its owner more than our paths do.

    Args:
        message: that may hold paths below `folder`.
        folder: of the job.

    Returns:
        The same with "file 7", by the number of `stored_path`, "the upload" or "the result" in their place.

    Example:
        >>> neutral("/t/x/images/00000/00007.nii.gz is damaged; see /t/x/result/a", Path("/t/x"))
        'File 7 is damaged; see the result'
    """
    root = re.escape(str(folder))
    file = rf"{root}[/\\](?:{RECEIVED}|{IMAGES})[/\\]\d{{5}}[/\\](\d{{5}})(?:\.[a-z]+)*"
    text = re.sub(file, lambda found: f"file {int(found[1])}", message)
    text = re.sub(rf"{root}[/\\](?:{RECEIVED}|{IMAGES})(?:[/\\]\d{{5}})?", "the upload", text)
    text = re.sub(rf"{root}[^\s,;:]*", "the result", text)
    return text[:1].upper() + text[1:]


def unpack(archive: Path, root: Path, max_bytes: int, max_files: int = MAX_FILES) -> None:
    """Unpack a zip, whatever its entries are named.

    Args:
        archive: the file.
        root: folder to fill.
        max_bytes: of all files together, counted while they are unpacked.
        max_files: number of entries.

    Raises:
        TooLargeError: if it holds more.
        InputError: if it cannot be read, is encrypted or holds another zip.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            if len(opened.infolist()) > max_files:
                raise TooLargeError(f"The zip holds over {max_files} files; pack one series alone")
            left, parents = max_bytes, dict[PurePosixPath, int]()
            for number, entry in enumerate(_image_entries(opened), start=1):
                path = PurePosixPath(entry.filename)
                folder = parents.setdefault(path.parent, len(parents))
                target = stored_path(root, folder, number, _suffix(path.name))
                if target.suffix == ".zip":
                    raise InputError("The zip holds another zip; unpack that first")
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise InputError(_DAMAGED)
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as source, target.open("xb") as unpacked:
                    left = _copy(source, unpacked, left)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError):
        raise InputError(_DAMAGED) from None
    except RuntimeError:  # what zipfile raises where it is asked for a password
        raise InputError("The zip is encrypted; pack it without a password") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the beginning of the file
            raise
        raise InputError(_DAMAGED) from None
    if not root.exists():
        raise InputError("The zip is empty; pack the images anew")


def _image_entries(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """Entries by name, without folders and what file managers leave."""
    for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
        parts = PurePosixPath(entry.filename).parts
        hidden = any(re.fullmatch(r"__MACOSX|\.(?!\.?$).+", part) for part in parts)
        if not entry.is_dir() and not hidden and parts:
            yield entry


def _suffix(name: str) -> str:
    return ".nii.gz" if name.lower().endswith(".nii.gz") else PurePosixPath(name).suffix


def _copy(source: IO[bytes], target: IO[bytes], left: int) -> int:
    """Copy a file; returns how much is left of the bytes that may be written."""
    while chunk := source.read(min(_CHUNK, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise TooLargeError("Unpacked, the zip is larger than this server takes; pack one series alone")
        target.write(chunk)
    return left


def unpacked(root: Path, images: Path, max_bytes: int) -> None:
    """Turn what was received into a folder of images.

    Args:
        root: folder of what was received, which vanishes.
        images: folder that takes its place.
        max_bytes: as for `unpack`.

    Raises:
        InputError: as for `unpack`, or if a zip came with other files.
    """
    files = [path for path in root.rglob("*") if path.is_file()]
    zips = [path for path in files if path.suffix == ".zip"]
    if not zips:
        root.rename(images)
        return
    if len(files) > 1:
        raise InputError("A zip came together with other files; drop it alone")
    unpack(zips[0], images, max_bytes)
    shutil.rmtree(root)


def image_in(images: Path) -> Path:
    """The file or folder that is to be upscaled.

    Args:
        images: folder of everything that was uploaded.

    Returns:
        A single file, else the folder, whose DICOM series are meant.

    Raises:
        InputError: if there are several images that are no DICOM.
    """
    files = sorted(path for path in images.rglob("*") if path.is_file())
    if len(files) == 1:
        return files[0]
    others = [path for path in files if is_image(path) or is_nifti(path) or is_itk(path)]
    if not others or scan_folder(images).series:
        return images
    if len(others) > 1:
        raise InputError(f"These are {len(others)} images and no DICOM series; drop one image at a time")
    return others[0]
