"""What a compressed frame says of itself, read before it is decoded."""

from __future__ import annotations

import struct
from typing import NamedTuple

_JPEG_2000 = b"\xff\x4f\xff\x51"
"""Start of a JPEG 2000 codestream; its size comes at once."""

# Every start of a frame, of JPEG and of JPEG-LS; the gaps are tables and extensions.
_STARTS_OF_FRAME = {*range(0xFFC0, 0xFFD0), 0xFFF7} - {0xFFC4, 0xFFC8, 0xFFCC}


class CodedFrame(NamedTuple):
    """Rows, columns and bits of a pixel, as a decoder will believe them."""

    rows: int
    columns: int
    precision: int


def read_codestream(coded: bytes) -> CodedFrame:
    """Size and depth in the header of a JPEG, JPEG-LS or JPEG 2000 frame.

    Args:
        coded: the frame.

    Returns:
        What it claims.

    Raises:
        struct.error: if it has no such header.

    Example:
        >>> read_codestream(bytes.fromhex("ffd8fff7000b080010002001011100"))
        CodedFrame(rows=16, columns=32, precision=8)
    """
    if (start := coded.find(_JPEG_2000)) >= 0:
        right, bottom, left, top = struct.unpack_from(">4I", coded, start + 8)
        (depth,) = struct.unpack_from(">B", coded, start + 42)
        return CodedFrame(bottom - top, right - left, (depth & 0x7F) + 1)
    position = 2
    while True:
        marker, length = struct.unpack_from(">2H", coded, position)
        if marker in _STARTS_OF_FRAME:
            precision, rows, columns = struct.unpack_from(">B2H", coded, position + 4)
            return CodedFrame(rows, columns, precision)
        # A marker may be preceded by any number of fill bytes.
        position += 1 if marker == 0xFFFF else 2 + length
