"""Stored values of a DICOM frame: native ones from the file itself, compressed ones by the decode worker."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
    UncompressedTransferSyntaxes,
)

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io.codestream import read_codestream
from monai_sr.io.decode_worker import DecodeError, DecodeWorker, WorkerError
from monai_sr.io.dicom_file import HEADER_BYTES, UNDEFINED, PixelElement, Rationed, find_pixels, open_pixels
from monai_sr.io.dicom_types import Encoding, Instance

# The most robust of several decoders; where none is named, there is but one.
_DECODERS: dict[str, str] = {
    RLELossless: "pydicom",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000: "pylibjpeg",
    JPEG2000Lossless: "pylibjpeg",
    JPEGBaseline8Bit: "pillow",
}
_WITH_SIZE = {*JPEG2000TransferSyntaxes, *JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes}
_REMEDY = "export it again or decompress it (gdcmconv --raw)"

_worker = DecodeWorker()


def decode(instance: Instance, frame: int = 0) -> NDArray[Any]:
    """Stored values, never rescaled and in the stored sense (MONOCHROME1 is not inverted).

    Args:
        instance: an instance whose header was accepted.
        frame: which of its frames, from 0.

    Returns:
        Shape [rows, columns], of the type that BitsAllocated and PixelRepresentation say.

    Raises:
        InputError: if the pixel data is missing, cut short or cannot be decoded.
        MonaiSRError: if the process that decodes does not start.
    """
    path, encoding = instance.path, instance.encoding
    pixels = _find(instance)
    native = pixels.syntax in UncompressedTransferSyntaxes
    array = _native(instance, pixels, frame) if native else _compressed(instance, pixels, frame)
    array = array.astype(encoding.dtype, copy=False)
    least, greatest = encoding.stored_range
    if array.min() < least or array.max() > greatest:
        raise InputError(f"{path} holds values that its BitsStored does not allow; correct its header")
    return array


@lru_cache(maxsize=1)
def _find(instance: Instance) -> PixelElement:
    path, encoding = instance.path, instance.encoding
    try:
        pixels = find_pixels(path)
    except Exception:
        raise InputError(f"{path} has damaged pixel data; export it again") from None
    if pixels is None or not pixels.length:
        raise InputError(f"{path} holds no pixel data; only images can be upscaled")
    if not pixels.syntax:
        raise InputError(f"{path} does not name its transfer syntax; export it again")
    if pixels.syntax == JPEGExtended12Bit and encoding.bits_stored > 8:
        raise InputError(
            f"{path} is 12-bit lossy JPEG, which cannot be decoded; decompress it first (dcmdjpeg)"
        )
    if pixels.syntax in UncompressedTransferSyntaxes:
        size = instance.number_of_frames * _frame_size(encoding)
        if pixels.length < size:
            raise InputError(f"{path} has truncated pixel data; copy or export it again")
        if pixels.length == UNDEFINED or (pixels.deflated_from and pixels.length > size + HEADER_BYTES):
            raise InputError(f"{path} has damaged pixel data; export it again")
    return pixels


def _native(instance: Instance, pixels: PixelElement, frame: int) -> NDArray[Any]:
    end = pixels.offset + (frame + 1) * _frame_size(instance.encoding)
    options: dict[str, Any] = {"pixel_keyword": "PixelData", "pixel_vr": pixels.vr or "OW"}
    options |= {"number_of_frames": instance.number_of_frames, "samples_per_pixel": 1}
    options |= instance.encoding._asdict()
    try:
        # Bytes of a frame of odd length may be swapped with those of the next.
        with open_pixels(instance.path, pixels, end + 1) as file:
            return get_decoder(pixels.syntax).as_array(file, index=frame, raw=True, **options)[0]
    except Exception:
        raise InputError(f"{instance.path} has truncated pixel data; copy or export it again") from None


def _compressed(instance: Instance, pixels: PixelElement, frame: int) -> NDArray[Any]:
    path, encoding = instance.path, instance.encoding
    try:
        coded = _coded_frame(instance, pixels, frame)
        if pixels.syntax in _WITH_SIZE:
            # A decoder believes the codestream, not the header, and would allocate what a forged one asks.
            rows, columns, precision = read_codestream(coded)
            if (rows, columns) != encoding[:2] or precision > encoding.bits_allocated:
                raise ValueError("the codestream is not of the header's size")
        plugin = _DECODERS.get(pixels.syntax, "")
        options = {"syntax": pixels.syntax, "plugin": plugin, **encoding._asdict()}
        values = _worker.decode(coded, options)
    except DecodeError as error:
        raise InputError(f"{path} has pixel data that {error}; {_REMEDY}") from None
    except WorkerError as error:
        raise MonaiSRError(f"{path}: {error}; reinstall monai-sr") from None
    except Exception:
        raise InputError(f"{path} has pixel data that cannot be decoded; {_REMEDY}") from None
    return np.frombuffer(values, encoding.dtype.newbyteorder("<")).reshape(encoding.rows, encoding.columns)


def _coded_frame(instance: Instance, pixels: PixelElement, frame: int) -> bytes:
    count = instance.number_of_frames
    # Twice the frame, since no codec needs more, and what is read to find it among the others.
    ration = 2 * _frame_size(instance.encoding) + 2**20 + 2**9 * count
    with open_pixels(instance.path, pixels, pixels.offset) as file:
        rationed = cast(BinaryIO, Rationed(file, ration))
        return get_frame(rationed, frame, number_of_frames=count, extended_offsets=pixels.offset_tables)


def _frame_size(encoding: Encoding) -> int:
    return encoding.rows * encoding.columns * encoding.bits_allocated // 8
