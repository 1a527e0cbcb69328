"""A folder that nobody else can read, and that is gone with the server, however that ends."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PREFIX = "monai-sr-app-"
_LOCK = "in-use"


@contextmanager
def private_folder() -> Iterator[Path]:
    """Folder for what is uploaded and made, only for the own user; leftovers of killed servers go first.

    Yields:
        The folder, which vanishes when the block ends.
    """
    remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # mode 0700, under a name that nobody can foresee
    try:
        with (folder / _LOCK).open("wb") as lock:
            _hold(lock.fileno())
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers() -> None:
    """Remove the folders of the own user's servers that were killed; those in use stay."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if folder.is_symlink() or not _is_own(folder):
            continue
        # A folder without a lock is one that a server is just about to use.
        with suppress(OSError), (folder / _LOCK).open("r+b") as lock:
            _hold(lock.fileno())
            shutil.rmtree(folder, ignore_errors=True)


def _is_own(folder: Path) -> bool:
    return sys.platform == "win32" or folder.stat().st_uid == os.getuid()


def _hold(descriptor: int) -> None:
    """Lock a file for as long as it is open; `OSError` where another process has."""
    # Windows does not let go of a file that is open, so that there the folder of a running server stays.
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
