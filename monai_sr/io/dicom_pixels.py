"""Stored values of one DICOM instance."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGExtended12Bit

from monai_sr.errors import InputError
from monai_sr.io.dicom_types import Instance

_PIXEL_KEYWORDS = [
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
]
_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"


def decode(instance: Instance) -> NDArray[Any]:
    """Stored values, never rescaled and in the stored sense (MONOCHROME1 is not inverted).

    Args:
        instance: an instance whose header was accepted.

    Returns:
        Shape [rows, columns], of the type that BitsAllocated and PixelRepresentation say.

    Raises:
        InputError: if the pixel data is missing, cut short or cannot be decoded.
    """
    path, encoding = instance.path, instance.encoding
    try:
        pixels = dcmread(path, specific_tags=list(_PIXEL_KEYWORDS))
    except Exception:
        raise InputError(f"{path} has damaged pixel data; export it again") from None
    if not pixels.get("PixelData"):
        raise InputError(f"{path} holds no pixel data; only images can be upscaled")
    syntax = pixels.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        raise InputError(f"{path} does not name its transfer syntax; export it again")
    bytes_needed = encoding.rows * encoding.columns * encoding.bits_allocated // 8
    if not syntax.is_compressed and len(pixels.PixelData) < bytes_needed:
        raise InputError(f"{path} has truncated pixel data; copy or export it again")
    if syntax == JPEGExtended12Bit and encoding.bits_stored > 8:
        raise InputError(
            f"{path} is 12-bit lossy JPEG, which cannot be decoded; decompress it first (dcmdjpeg)"
        )
    try:
        if syntax in JPEG2000TransferSyntaxes:
            _check_codestream_size(pixels, encoding.rows, encoding.columns)
        array = pixel_array(pixels, raw=True)
        return array.reshape(encoding.rows, encoding.columns).astype(encoding.dtype, copy=False)
    except Exception:
        raise InputError(
            f"{path} has pixel data that cannot be decoded; export it again or decompress it (gdcmconv --raw)"
        ) from None


def _check_codestream_size(pixels: FileDataset, rows: int, columns: int) -> None:
    # A decoder believes the codestream, not the header, and would allocate whatever a forged size asks for.
    codestream = get_frame(pixels.PixelData, 0, number_of_frames=1)
    start = codestream.index(_START_OF_CODESTREAM)
    right, bottom, left, top = struct.unpack_from(">4I", codestream, start + 8)
    if (bottom - top, right - left) != (rows, columns):
        raise ValueError("the codestream's size is not the header's")


def padding_mask(array: NDArray[Any], instance: Instance) -> NDArray[np.bool_]:
    """Pixels that hold no image.

    Args:
        array: stored values of the instance.
        instance: its header.

    Returns:
        True at PixelPaddingValue (or in the range up to PixelPaddingRangeLimit), shape of `array`.
    """
    if instance.padding is None:
        return np.zeros(array.shape, np.bool_)
    least, greatest = instance.padding
    return (array >= least) & (array <= greatest)
