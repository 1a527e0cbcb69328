"""Stored values of one DICOM instance."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_partial
from pydicom.pixels import pixel_array
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEGTransferSyntaxes,
    RLELossless,
)

from monai_sr.errors import InputError
from monai_sr.io.dicom_types import Instance

_PIXEL_TAGS: list[BaseTag | int] = [
    Tag(keyword)
    for keyword in (
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "NumberOfFrames",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "PixelData",
    )
]
_NATIVE_SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
# On damaged data other decoders of these end the whole process, past every `except`.
_DECODERS = {
    RLELossless: "pydicom",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000: "pylibjpeg",
    JPEG2000Lossless: "pylibjpeg",
    JPEGBaseline8Bit: "pillow",
}
_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_START_OF_FRAME = (0xFFC0, 0xFFC1, 0xFFC3)


def decode(instance: Instance, frame: int = 0) -> NDArray[Any]:
    """Stored values, never rescaled and in the stored sense (MONOCHROME1 is not inverted).

    Args:
        instance: an instance whose header was accepted.
        frame: which of its frames, from 0.

    Returns:
        Shape [rows, columns], of the type that BitsAllocated and PixelRepresentation say.

    Raises:
        InputError: if the pixel data is missing, cut short or cannot be decoded.
    """
    path, encoding = instance.path, instance.encoding
    try:
        pixels = _read_pixel_attributes(path)
        length = len(pixels.get("PixelData") or b"")
    except Exception:
        raise InputError(f"{path} has damaged pixel data; export it again") from None
    if not length:
        raise InputError(f"{path} holds no pixel data; only images can be upscaled")
    syntax = pixels.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        raise InputError(f"{path} does not name its transfer syntax; export it again")
    count = instance.number_of_frames
    bytes_needed = count * encoding.rows * encoding.columns * encoding.bits_allocated // 8
    if syntax in _NATIVE_SYNTAXES and length < bytes_needed:
        raise InputError(f"{path} has truncated pixel data; copy or export it again")
    if syntax == JPEGExtended12Bit and encoding.bits_stored > 8:
        raise InputError(
            f"{path} is 12-bit lossy JPEG, which cannot be decoded; decompress it first (dcmdjpeg)"
        )
    try:
        if syntax in (*JPEG2000TransferSyntaxes, *JPEGTransferSyntaxes):
            _check_coded_size(get_frame(pixels.PixelData, frame, number_of_frames=count), *encoding[:2])
        array = pixel_array(pixels, raw=True, index=frame, decoding_plugin=_DECODERS.get(syntax, ""))
        array = array.reshape(encoding.rows, encoding.columns).astype(encoding.dtype, copy=False)
    except Exception:
        raise InputError(
            f"{path} has pixel data that cannot be decoded; export it again or decompress it (gdcmconv --raw)"
        ) from None
    least, greatest = encoding.stored_range
    if array.min() < least or array.max() > greatest:
        raise InputError(f"{path} holds values that its BitsStored does not allow; correct its header")
    return array


def _read_pixel_attributes(path: Path) -> FileDataset:
    pixels_passed = False

    def stop(tag: BaseTag, vr: str | None, length: int) -> bool:
        # What follows the pixels is of no use, and some files carry megabytes of it.
        nonlocal pixels_passed
        stop_here, pixels_passed = pixels_passed, tag == Tag("PixelData")
        return stop_here

    with path.open("rb") as file:
        return read_partial(file, stop_when=stop, specific_tags=_PIXEL_TAGS)


def _check_coded_size(coded: bytes, rows: int, columns: int) -> None:
    # A decoder believes the coded size, not the header's, and would allocate whatever a forged one asks for.
    if (start := coded.find(_START_OF_CODESTREAM)) >= 0:
        right, bottom, left, top = struct.unpack_from(">4I", coded, start + 8)
        size = (bottom - top, right - left)
    else:
        size = _jpeg_size(coded)
    if size != (rows, columns):
        raise ValueError("the coded size is not the header's")


def _jpeg_size(coded: bytes) -> tuple[int, int]:
    position = 2
    while True:
        marker, length = struct.unpack_from(">2H", coded, position)
        if marker in _START_OF_FRAME:
            rows, columns = struct.unpack_from(">2H", coded, position + 5)
            return rows, columns
        position += 2 + length
