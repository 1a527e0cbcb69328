"""DICOM files, read no further than a header can reach, and inflated no further than is asked for."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16

from monai_sr.errors import InputError

HEADER_BYTES = 2**26
"""Most bytes of a header that are read, 64 MiB, to which each element adds some for the memory that it takes.

The functional groups of three thousand frames take less.
"""

DEFLATED_HEADER_BYTES = 2**23
"""The same of a deflated header, 8 MiB, since that may be a thousand times smaller in the file."""

DEEPEST = 12
"""Levels of nested sequences that are read."""

UNDEFINED = 0xFFFFFFFF
"""Length of a value that ends with a delimiter."""

_PIXELS = Tag("PixelData")
_OTHER_PIXELS = (Tag("FloatPixelData"), Tag("DoubleFloatPixelData"))
_OFFSET_TABLES = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
_SHORT = {*EXPLICIT_VR_LENGTH_16, "US or SS"}
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
# What pydicom makes of an element or of an item takes more memory than their bytes in the file.
_READ_COST, _ITEM_COST = 64, 256
_CHUNK = 2**20


class PixelElement(NamedTuple):
    """Where the pixels of a file are.

    Args:
        offset: of the first byte of the value; counted from the dataset's first byte where that is deflated.
        length: of the value in bytes, or `UNDEFINED`.
        vr: its value representation; None in implicit VR.
        syntax: TransferSyntaxUID, empty where it is missing.
        deflated_from: where a deflated dataset starts in the file, or None.
        offset_tables: the Extended Offset Table and that of lengths, or None.
    """

    offset: int
    length: int
    vr: str | None
    syntax: str = ""
    deflated_from: int | None = None
    offset_tables: tuple[bytes, bytes] | None = None


class RationError(Exception):
    """More was to be read than is allowed."""


class Rationed:
    """A file that gives only so much, however often one seeks.

    Args:
        file: any file.
        ration: bytes that it gives.
    """

    def __init__(self, file: BinaryIO, ration: int) -> None:
        self._file = file
        self._ration = ration
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        """Bytes from the present position, fewer at the end of the file."""
        self._ration -= max(size, _READ_COST)
        if size < 0 or self._ration < 0:
            raise RationError
        data = self._file.read(size)
        if data[:4] in _ITEM_TAGS:
            # Where it is more than the tag, a whole sequence that is not yet taken apart.
            self._ration -= size + _ITEM_COST * data.count(data[:4])
        return data


def read_attributes(path: Path, keywords: list[str] | None = None) -> FileDataset | None:
    """Attributes before the pixel data.

    Args:
        path: any file.
        keywords: only these attributes; all by default.

    Returns:
        The header, or None if the file is not DICOM.

    Raises:
        InputError: if the header is larger, or nested deeper, than is supported.
        Exception: of any type, on a file that is damaged or cannot be opened.
    """
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return None
    header, _ = _read(path, keywords or [])
    if not keywords:
        _check_nesting(header, path)
    return header


def find_pixels(path: Path) -> PixelElement | None:
    """Where the pixel data of a DICOM file is.

    Args:
        path: a DICOM file.

    Returns:
        The element, or None if there is none.

    Raises:
        Exception: of any type, on a damaged file.
    """
    header, found = _read(path, [*_OFFSET_TABLES])
    tables = tuple(header.get(keyword) for keyword in _OFFSET_TABLES)
    if found is None or not all(tables):
        return found
    return found._replace(offset_tables=cast(tuple[bytes, bytes], tables))


@contextmanager
def open_pixels(path: Path, pixels: PixelElement, end: int) -> Iterator[BinaryIO]:
    """A file in which the offset of its pixels holds, also where it is deflated.

    Args:
        path: a DICOM file.
        pixels: where its pixels are.
        end: offset up to which a deflated dataset is inflated.

    Yields:
        The file, at the first byte of the pixels.

    Raises:
        Exception: of any type, on a damaged file.
    """
    with path.open("rb") as file:
        dataset_file = _inflated(file, pixels.deflated_from, end)
        dataset_file.seek(pixels.offset)
        yield dataset_file


def _read(path: Path, keywords: list[str]) -> tuple[FileDataset, PixelElement | None]:
    found: PixelElement | None = None

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        nonlocal found
        if tag == _PIXELS:
            found = PixelElement(source.tell(), length, vr, syntax, deflated_from)
        return found is not None or tag in _OTHER_PIXELS

    with path.open("rb") as file:
        ration = HEADER_BYTES
        rationed = cast(BinaryIO, Rationed(file, ration))
        try:
            preamble = read_preamble(rationed, force=False)
            meta = FileMetaDataset(read_dataset(rationed, False, True, stop_when=_after_meta))
            syntax = str(meta.get("TransferSyntaxUID") or "")
            deflated_from = None
            if syntax == DeflatedExplicitVRLittleEndian:
                deflated_from, ration = file.tell(), DEFLATED_HEADER_BYTES
            implicit, little = syntax in ("", ImplicitVRLittleEndian), syntax != ExplicitVRBigEndian
            source = cast(BinaryIO, Rationed(_inflated(file, deflated_from, ration), ration))
            dataset = read_dataset(
                source, implicit, little, stop_when=at_pixels, specific_tags=[*map(Tag, keywords)]
            )
        except RationError:
            size = f"{ration // 2**20} MiB"
            raise InputError(
                f"{path} claims a header of over {size}, more than is read; export it again"
            ) from None
    header = FileDataset(str(path), dataset, preamble, meta, implicit, little)
    header.set_original_encoding(implicit, little, dataset.original_character_set)
    return header, found


def _after_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


def _check_nesting(dataset: Dataset, path: Path, depth: int = 0) -> None:
    """Refuse what would take long, or all of the stack, only when it is looked at or written."""
    if depth > DEEPEST:
        raise InputError(
            f"{path} nests sequences over {DEEPEST} deep, more than is supported; export it again"
        )
    for tag in list(dataset.keys()):
        # Not to be asked for in a way that converts it: most attributes are never looked at.
        element = dataset.get_item(tag, keep_deferred=True)
        if tag.is_private or element is None:
            continue
        vr = element.VR
        if vr in (None, "UN") and dictionary_has_tag(tag):
            vr = dictionary_VR(tag)
        if vr == "SQ":
            for item in dataset[tag].value or ():
                _check_nesting(item, path, depth + 1)
        elif vr in _SHORT and isinstance(element, RawDataElement) and len(element.value or b"") > 0xFFFF:
            raise InputError(f"{path} holds a value longer than its kind can be; export it again")


def _inflated(file: BinaryIO, deflated_from: int | None, end: int) -> BinaryIO:
    return file if deflated_from is None else io.BufferedReader(_Inflated(file, deflated_from, end))


class _Inflated(io.RawIOBase):
    """What a deflated part of a file inflates to, a piece at a time.

    Args:
        file: the file.
        start: where the deflated part starts in it.
        end: offset of the last byte that is given, plus one; further reading raises `RationError`.
    """

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self._start = start
        self._end = end
        self._rewind()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._position
        if offset < self._position:
            self._rewind()
        while self._position < offset and self._next(offset - self._position):
            pass
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _rewind(self) -> None:
        self._file.seek(self._start)
        self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
        self._position = 0

    def _next(self, size: int) -> bytes:
        """At most `size` bytes, none at the end."""
        while not self._decompressor.eof:
            if self._position >= self._end:
                raise RationError
            deflated = self._decompressor.unconsumed_tail or self._file.read(_CHUNK)
            data = self._decompressor.decompress(deflated, min(size, _CHUNK, self._end - self._position))
            self._position += len(data)
            if data or not deflated:
                return data
        return b""
