"""Output that is there whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from monai_sr.errors import InputError, MonaiSRError

_LEFTOVER = re.compile(r"\.(partial|old)-\d+-.+")


def check_apart(path: Path, source: Path) -> None:
    """Refuse an output that lies in its input or holds it.

    Args:
        path: file or folder to be written.
        source: file or folder that is read.

    Raises:
        InputError: with the reason and the remedy.
    """
    real, real_source = path.resolve(), source.resolve()
    if real == real_source or real_source in real.parents:
        raise InputError(f"{path} lies in the input {source}; choose an output elsewhere")
    if real in real_source.parents:
        raise InputError(f"{path} holds the input {source}; choose an output elsewhere")


def check_destination(path: Path, source: Path, *, folder: bool, overwrite: bool, written: str = "") -> None:
    """Refuse an output that would touch the input or an earlier output.

    Args:
        path: file or folder to be written.
        source: file or folder that was read.
        folder: whether `path` is to be a folder.
        overwrite: whether an earlier output may be replaced.
        written: regular expression of the names of an earlier output's files; a folder that holds any other
            is never replaced.

    Raises:
        InputError: with the reason and the remedy.
    """
    check_apart(path, source)
    if not path.exists():
        real = path.resolve()
        nearest = next((parent for parent in real.parents if parent.exists()), real)
        if not nearest.is_dir():
            raise InputError(f"{nearest} is not a folder; choose another output than {path}")
        if not os.access(nearest, os.W_OK):
            raise InputError(f"{nearest} cannot be written to; choose another output than {path}")
        return
    if not path.is_dir() and not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder; choose another output")
    if folder != path.is_dir():
        kind = "folder" if path.is_dir() else "file"
        raise InputError(f"{path} exists and is a {kind}; choose another output")
    if folder and os.path.ismount(path):
        raise InputError(f"{path} is a mount point, which cannot be replaced; name a folder below it")
    if folder and any(entry.is_dir() for entry in path.iterdir()):
        raise InputError(f"{path} holds folders, which an earlier output never does; choose another output")
    if not overwrite and (not folder or any(path.iterdir())):
        state = "is not empty" if folder else "exists"
        raise InputError(f"{path} {state}; choose another output or add --overwrite")
    names = sorted(entry.name for entry in path.iterdir()) if folder else []
    if foreign := [name for name in names if not re.fullmatch(written, name)]:
        raise InputError(f"{path / foreign[0]} is not of an earlier output; move it or choose another output")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Folder to fill, which takes the place of `path` when the block ends well and vanishes otherwise.

    Args:
        path: the final folder; its parents are made.

    Yields:
        A hidden empty folder beside it.

    Raises:
        MonaiSRError: if the disk refuses.
    """
    path = path.resolve()
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    with _cleaned_up(path, partial):
        partial.mkdir(parents=True)
        yield partial
        for file in partial.iterdir():
            _flush(file)
        _flush(partial)
        _swap(partial, path)
        _flush(path.parent)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """File to write, which takes the place of `path` when the block ends well and vanishes otherwise.

    Args:
        path: the final file; its parents are made.

    Yields:
        A hidden path beside it, with the same suffixes.

    Raises:
        MonaiSRError: if the disk refuses.
    """
    path = path.resolve()
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    with _cleaned_up(path, partial):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _flush(partial)
        partial.replace(path)
        _flush(path.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written; the caller knows that none writes there now.

    Args:
        folder: searched with all its subfolders.

    Raises:
        OSError: if the disk refuses.
    """
    for parent, folders, files in os.walk(folder):
        for name in filter(_LEFTOVER.fullmatch, folders):
            shutil.rmtree(Path(parent, name))
        for name in filter(_LEFTOVER.fullmatch, files):
            Path(parent, name).unlink()
        folders[:] = [name for name in folders if not _LEFTOVER.fullmatch(name)]


@contextmanager
def _cleaned_up(path: Path, partial: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or "the disk refused"
        raise MonaiSRError(f"{path} could not be written ({reason}); nothing of it was left") from error
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            # Where not even the folder above could be made, there is nothing to remove.
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def _swap(partial: Path, path: Path) -> None:
    if not path.exists():
        partial.rename(path)
        return
    old = path.with_name(f".old-{os.getpid()}-{path.name}")
    path.rename(old)
    try:
        partial.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
