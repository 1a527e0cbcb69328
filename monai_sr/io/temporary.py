"""A folder for what must not stay: patients' images while they are worked on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "monai-sr-"

# Children of a killed process may still write for a moment.
_CLEANER = """
import os, shutil, sys, time
sys.stdin.read()
for _ in range(100):
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    if not os.path.exists(sys.argv[1]):
        break
    time.sleep(0.2)
"""


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
