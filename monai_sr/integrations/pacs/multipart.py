"""The one part of a multipart answer, written to a file as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from typing import BinaryIO

_HEAD_BYTES = 2**16


class MultipartError(ValueError):
    """An answer is not what it should be."""


def write_part(content_type: str, chunks: Iterator[bytes], file: BinaryIO) -> None:
    r"""Write the DICOM file that an answer holds; its size never has to fit in memory.

    Args:
        content_type: of the answer.
        chunks: its body.
        file: where the DICOM file goes.

    Raises:
        MultipartError: if it holds anything else, or more than one file, or ends early.

    Example:
        >>> import io
        >>> body = [b"--x\r\nContent-Type: application/dicom\r\n\r\nDI", b"CM\r\n--x--"]
        >>> file = io.BytesIO()
        >>> write_part("multipart/related; boundary=x", iter(body), file)
        >>> file.getvalue()
        b'DICM'
    """
    message = Message()
    message["Content-Type"] = content_type
    if message.get_content_type() == "application/dicom":
        # Against the standard, and yet what some servers send.
        for chunk in chunks:
            file.write(chunk)
        return
    boundary = message.get_boundary()
    if message.get_content_type() != "multipart/related" or not boundary:
        raise MultipartError("no multipart answer")
    marker = b"--" + boundary.encode("latin-1", "replace")
    rest = _after_head(chunks, marker)
    end = b"\r\n" + marker
    while (found := rest.find(end)) < 0:
        # The marker may begin in this chunk and end in the next.
        done = max(0, len(rest) - len(end) + 1)
        file.write(rest[:done])
        chunk = next(chunks, b"")
        if not chunk:
            raise MultipartError("the answer ends early")
        rest = rest[done:] + chunk
    file.write(rest[:found])
    rest = rest[found + len(end) :]
    while len(rest) < 2 and (chunk := next(chunks, b"")):
        rest += chunk
    if not rest.startswith(b"--"):
        raise MultipartError("more than one part")


def _after_head(chunks: Iterator[bytes], marker: bytes) -> bytes:
    """What follows the head of the first part."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = next(chunks, b"")
        if not chunk or len(data) > _HEAD_BYTES:
            raise MultipartError("no part")
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    if marker not in head or b"application/dicom" not in head.lower().replace(b"application/dicom+", b""):
        raise MultipartError("no DICOM part")
    return rest
