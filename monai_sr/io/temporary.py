"""A folder for what must not stay: patients' images while they are worked on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "monai-sr-"

_CLEANER = "import shutil, sys; sys.stdin.read(); shutil.rmtree(sys.argv[1], ignore_errors=True)"


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Folder that only the own user can read, gone when the block ends or the process, however that ends.

    A small process beside this one waits for its end, of which even a kill lets it know.

    Args:
        parent: where it is made; the system's place for temporary files by default.

    Yields:
        The folder, empty.
    """
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent) as folder,
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CLEANER, folder],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl+C is not for it
        ),
    ):
        yield Path(folder)
