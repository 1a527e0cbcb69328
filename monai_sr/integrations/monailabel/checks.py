"""What a request may name: anything else is refused before a path is made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.pacs.address import is_uid

EXTENSIONS = (".nii.gz", ".nii", ".nrrd", ".mha")
"""Formats of a result that keep the place in the patient."""

PICTURES = (".png", ".tif", ".tiff")
"""Formats of a result for a source that is a picture itself."""

RESERVED = frozenset(
    (
        "model",
        "image",
        "image_path",
        "session",
        "label",
        "file",
        "path",
        "result_write_to_file",
        "skip_writer",
    )
)
"""What the address of a request says, and its parameters may not say otherwise."""

_LARGEST_NAME = 200
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_SESSION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class NotFoundError(InputError):
    """What a request names is not there; it is answered by 404."""


class BusyError(MonaiSRError):
    """Too many requests wait already; it is answered by 503."""


def check_name(name: object) -> str:
    """Refuse an image's name that is more than the name of a file.

    Args:
        name: as a client gave it.

    Returns:
        The same.

    Raises:
        InputError: if it is hidden, too long or leads to another folder.
    """
    if not isinstance(name, str) or not 0 < len(name) <= _LARGEST_NAME:
        raise InputError(f"An image's name has 1 to {_LARGEST_NAME} characters: choose another.")
    if name.startswith(".") or set(name) & set("/\\:") or not name.isprintable():
        raise InputError("An image's name is that of a file, without a folder: choose another.")
    return name


def check_tag(tag: object) -> str:
    """Refuse a tag under which no result may be kept.

    Args:
        tag: as a client gave it.

    Returns:
        The same.

    Raises:
        InputError: if it is no plain word.
    """
    if not isinstance(tag, str) or not _TAG.fullmatch(tag):
        raise InputError("A tag is a word of up to 32 letters, digits, _ and -, such as sr: choose another.")
    return str.__str__(tag)  # MONAI Label's own tags are members of an enumeration


def check_result_tag(tag: object) -> str:
    """Refuse a tag under which no finer image may be kept.

    Args:
        tag: as a client gave it.

    Returns:
        The same.

    Raises:
        InputError: if it is no plain word, or `final`, which is for what a person drew.
    """
    if check_tag(tag) == "final":
        raise InputError("The tag final is for what a person has drawn: give another label_tag, such as sr.")
    return check_tag(tag)


def check_uid(uid: object) -> str:
    """Refuse what is no UID of DICOM.

    Args:
        uid: as a client gave it.

    Returns:
        The same.

    Raises:
        NotFoundError: if it is none.
    """
    if not is_uid(uid):
        raise NotFoundError("There is no such series: name one by its SeriesInstanceUID.")
    return str(uid)


def check_session(session: object) -> str:
    """Refuse what is no identifier of a session.

    Args:
        session: as a client gave it.

    Returns:
        The same.

    Raises:
        NotFoundError: if it is none.
    """
    if not isinstance(session, str) or not _SESSION.fullmatch(session):
        raise NotFoundError("There is no such session: send its files again.")
    return session


def check_parameters(parameters: object) -> Mapping[str, Any]:
    """Refuse parameters that would change what a request is about.

    Args:
        parameters: parsed from a client's JSON.

    Returns:
        The same.

    Raises:
        InputError: if they are no JSON object, or name what only the request's address names.
    """
    if not isinstance(parameters, Mapping):
        raise InputError("The parameters must be one JSON object.")
    if taken := sorted(RESERVED & parameters.keys()):
        raise InputError(f"The parameters may not name {', '.join(taken)}: the address of the request does.")
    return parameters


def result_extension(wanted: object, source: Path) -> str:
    """Format of a result.

    Args:
        wanted: `result_extension` of a request; empty for the source's own, where that can be written.
        source: the image that is read.

    Returns:
        One of `EXTENSIONS`, or of `PICTURES` for a picture.

    Raises:
        InputError: if there is no such format for such a source.
    """
    name = source.name.lower()
    is_picture = name.endswith((*PICTURES, ".jpg", ".jpeg"))
    possible = EXTENSIONS + (PICTURES if is_picture else ())
    if not wanted:
        own = next((extension for extension in possible if name.endswith(extension)), None)
        return own or (".png" if is_picture else EXTENSIONS[0])
    if wanted not in possible:
        raise InputError(f"A result of this image can be {', '.join(possible)}: choose its result_extension.")
    return str(wanted)
