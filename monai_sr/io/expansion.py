"""Files that would fill the memory with what they do not hold."""

from __future__ import annotations

from pathlib import Path

from monai_sr.errors import InputError

FREE = 2**28
"""Bytes in memory, 256 MiB, that any file may become."""

MOST = 250
"""How many times its own size a larger file may become; images of a scanner stay far below."""


def check_expansion(path: Path, size: int) -> None:
    """Refuse a file that unpacks to very much more than it is.

    Args:
        path: the file.
        size: bytes that it claims to become in memory.

    Raises:
        InputError: if that is over `FREE`, and over `MOST` times the file.
    """
    if size > max(FREE, MOST * path.stat().st_size):
        raise InputError(f"{path} claims to unpack to over {MOST} times its size; unpack it yourself first")
