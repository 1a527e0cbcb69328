"""What is compared: the same cases, by name, in a folder for each condition."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from monai_sr.errors import InputError
from monai_sr.io import Series, open_volume
from monai_sr.io.dicom import scan_folder
from monai_sr.io.image import is_image
from monai_sr.io.itk import is_itk
from monai_sr.io.nifti import is_nifti
from monai_sr.volume import Volume

Read = Callable[[], Volume]

_NAME = re.compile(r"\w[\w.+-]*")
_NAMED = 5
"""Cases that a message names at most."""


@dataclass(frozen=True)
class Condition:
    """One way in which the cases were made.

    Args:
        name: what tables call it; readers never see it.
        folder: where its images are.
    """

    name: str
    folder: Path


@dataclass(frozen=True)
class Case:
    """The same image by every condition.

    Args:
        name: path in each condition's folder, without suffix.
        reads: one for each condition, in their order.
    """

    name: str
    reads: tuple[Read, ...]


def parse_condition(text: str) -> Condition:
    """A condition as a user writes it.

    Args:
        text: FOLDER, which is then called by its own name, or NAME=FOLDER.

    Returns:
        The condition, whose folder is there.

    Raises:
        InputError: if it is not, or cannot be called so.

    Example:
        >>> parse_condition("here=.")
        Condition(name='here', folder=PosixPath('.'))
    """
    name, equals, folder = text.partition("=")
    if not equals or Path(text).exists():
        folder, name = text, Path(text).resolve().name
    if not Path(folder).is_dir():
        raise InputError(f"{folder} is not a folder: name each condition's folder of images, as NAME=FOLDER")
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a condition: write NAME=FOLDER, with a NAME of letters, digits and . _ + -"
        )
    return Condition(name, Path(folder))


def match_cases(conditions: Sequence[Condition]) -> list[Case]:
    """The cases, which every condition must have.

    Args:
        conditions: at least one, of different names.

    Returns:
        Sorted by name, not yet read.

    Raises:
        InputError: if two have one name, one lacks a case that another has, or a folder holds what cannot be
            read or told apart.
    """
    if doubled := [name for name, count in Counter(item.name for item in conditions).items() if count > 1]:
        raise InputError(f"Two conditions are called {doubled[0]}: give them names, as NAME=FOLDER")
    found = [_find_cases(condition.folder) for condition in conditions]
    for condition, cases in zip(conditions, found, strict=True):
        for other, others in zip(conditions, found, strict=True):
            if missing := sorted(others.keys() - cases.keys()):
                raise InputError(
                    f"{condition.folder} lacks {_some(missing)}, which {other.folder} has: "
                    "give every condition the same cases under the same names"
                )
    return [Case(name, tuple(cases[name] for cases in found)) for name in sorted(found[0])]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _find_cases(folder: Path) -> dict[str, Read]:
    """Path without suffix -> how it is read: series of DICOM by their folder, other images by their file."""
    scan = scan_folder(folder)
    for reason in scan.damaged.values():
        raise InputError(reason)
    in_folder = Counter(path for series in scan.series for path in {file.parent for file in series.paths})
    found: list[tuple[str, Read]] = [(_series_name(series, in_folder), series.read) for series in scan.series]
    found += [
        (_stem(path.relative_to(folder)), partial(open_volume, path))
        for path in scan.others
        if is_nifti(path) or is_itk(path) or is_image(path)
    ]
    if not found:
        raise InputError(f"{folder} holds no image: name a folder of DICOM series, NIfTI, PNG or TIFF")
    if doubled := [name for name, count in Counter(name for name, _ in found).items() if count > 1]:
        raise InputError(f"{folder} holds {doubled[0]} twice, in different formats: leave one of them")
    return dict(found)


def _series_name(series: Series, in_folder: Counter[Path]) -> str:
    folders = {path.parent for path in series.paths}
    home = min(folders)
    if len(folders) > 1 or (in_folder[home] > 1 and len(series.paths) > 1):
        raise InputError(f"{home} holds no single series: put each series into a folder of its own")
    # Radiographs may lie in one folder, each a file and a series.
    return _stem((series.paths[0] if in_folder[home] > 1 else home).relative_to(series.folder))


def _stem(path: Path) -> str:
    """A path without the suffix of its format."""
    return re.sub(r"\.(nii|nii\.gz|mha|mhd|nrrd|png|tiff?|jpe?g|dcm)$", "", path.as_posix(), flags=re.I)
