"""One DICOM instance's header: what can be read, and why the rest is refused."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    OphthalmicTomographyImageStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)

from monai_sr.errors import InputError
from monai_sr.io.dicom_file import read_attributes
from monai_sr.io.dicom_frames import is_enhanced, parse_frames
from monai_sr.io.dicom_types import Encoding, Instance
from monai_sr.volume import MAX_FRAME_PIXELS

SINGLE_FRAME_CLASSES = (
    MRImageStorage,
    CTImageStorage,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)
ENHANCED_CLASSES = (
    EnhancedMRImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    OphthalmicTomographyImageStorage,
)
MULTI_FRAME_CLASSES = (
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)
_SERIES_KEYWORDS = [
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "SeriesDate",
    "SeriesTime",
    "InstanceNumber",
]


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence pydicom, whose warnings and log records carry values of attributes."""
    logger = logging.getLogger("pydicom")
    disabled = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = disabled


def read_header(path: Path, keywords: list[str] | None = None) -> FileDataset | None:
    """Attributes before the pixel data.

    Args:
        path: any file.
        keywords: only these attributes; all by default.

    Returns:
        The header, or None if the file is not DICOM.

    Raises:
        InputError: if the file cannot be opened, is damaged or has a header beyond the bounds.
    """
    try:
        # A pipe would be waited for without end.
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a file; take it out of the folder")
        header = read_attributes(path, keywords)
        if header is None:
            return None
        # pydicom decodes an attribute when it is first asked for: a damaged one is met here, not halfway.
        for keyword in keywords or _SERIES_KEYWORDS:
            header.get(keyword)
        header.file_meta.get("MediaStorageSOPClassUID")
        return header
    except InputError:
        raise
    except (PermissionError, FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); check the file") from error
    except Exception:
        # pydicom raises nearly anything on damaged files, with values in the message.
        raise InputError(f"{path} is damaged DICOM; export it again") from None


def read_instance(path: Path) -> Instance:
    """Header of one single-channel image.

    Args:
        path: a DICOM file.

    Returns:
        The instance.

    Raises:
        InputError: naming the file, the reason and the remedy, if it is anything else.
    """
    header = read_header(path)
    if header is None:
        raise InputError(
            f"{path} is not DICOM, NIfTI, MetaImage, NRRD, PNG, TIFF or JPEG; name another input"
        )
    try:
        _take_identity_from_meta(header)
        _check_kind(header, path)
        return _parse(header, path)
    except InputError:
        raise
    except Exception:
        raise InputError(f"{path} has a damaged DICOM header; export it again") from None


def _take_identity_from_meta(header: FileDataset) -> None:
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        if not header.get(keyword):
            setattr(header, keyword, header.file_meta.get(f"MediaStorage{keyword}", ""))


def _check_kind(header: Dataset, path: Path) -> None:
    if header.SOPClassUID == ParametricMapStorage:
        raise InputError(
            f"{path} is a parametric map, as monai-sr's intervals are, and no image; name an image"
        )
    if not header.get("Rows") or not header.get("Columns"):
        raise InputError(f"{path} holds no pixel data; only images can be upscaled")
    if header.Rows < 0 or header.Columns < 0 or header.PixelRepresentation not in (0, 1):
        raise InputError(f"{path} has a damaged DICOM header; export it again")
    if header.get("SamplesPerPixel", 1) != 1 or not str(header.PhotometricInterpretation).startswith("MONO"):
        raise InputError(f"{path} is a colour image; only single-channel (grayscale) images are supported")
    if "MOSAIC" in (header.get("ImageType") or ()):
        raise InputError(f"{path} is a MOSAIC of many slices; export it as one image per slice")
    if header.SOPClassUID not in (*SINGLE_FRAME_CLASSES, *ENHANCED_CLASSES, *MULTI_FRAME_CLASSES):
        raise InputError(
            f"{path} is of an unsupported DICOM class; MR, CT, CR, DX, OPT and SC images are supported"
        )
    if header.SOPClassUID in ENHANCED_CLASSES and not is_enhanced(header):
        raise InputError(f"{path} is a multi-frame image without functional groups; export it again")
    if header.SOPClassUID in SINGLE_FRAME_CLASSES and int(header.get("NumberOfFrames") or 1) > 1:
        raise InputError(f"{path} holds several frames in a class of single frames; export it again")
    if not header.SOPInstanceUID:
        raise InputError(f"{path} has no SOPInstanceUID; export it again")
    if header.BitsAllocated not in (8, 16):
        raise InputError(f"{path} does not store 8 or 16 bits a pixel, as is supported; convert it")
    if not 0 < header.BitsStored <= header.BitsAllocated or header.HighBit != header.BitsStored - 1:
        raise InputError(
            f"{path} packs its bits in a way that is not supported; convert it (dcmconv, gdcmconv)"
        )
    if header.Rows * header.Columns > MAX_FRAME_PIXELS:
        raise InputError(
            f"{path} claims over {MAX_FRAME_PIXELS} pixels, more than is supported; crop it first"
        )


def _parse(header: FileDataset, path: Path) -> Instance:
    encoding = Encoding(
        int(header.Rows),
        int(header.Columns),
        int(header.BitsAllocated),
        int(header.BitsStored),
        int(header.PixelRepresentation),
        str(header.PhotometricInterpretation),
    )
    padding = None
    if header.get("PixelPaddingValue") is not None:
        value = encoding.stored(int(header.PixelPaddingValue))
        limit = header.get("PixelPaddingRangeLimit")
        other = value if limit is None else encoding.stored(int(limit))
        padding = (min(value, other), max(value, other))
    return Instance(path, header, encoding, parse_frames(header, path), padding)
