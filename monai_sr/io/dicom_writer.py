"""Writing a volume as a DICOM series derived from the one that was read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydicom import dcmwrite
from pydicom.dataelem import DataElement
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless, RLELossless

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io.atomic import atomic_file, atomic_folder
from monai_sr.io.dicom_derive import DerivedSeries, derive_header, derive_series
from monai_sr.io.dicom_header import quiet_pydicom
from monai_sr.io.dicom_types import DicomSource, Instance
from monai_sr.io.encoding import check_encodable, stored_frame
from monai_sr.volume import Provenance, Volume

TRANSFER_SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "jpegls": JPEGLSLossless,
    "rle": RLELossless,
}
"""Names of the transfer syntaxes that are written: all of them keep every value."""

_MAX_ROWS = 65535
_MAX_LENGTH = 2**32 - 2

WRITTEN_FILES = r"\d{5,}\.dcm"
"""Regular expression of the names in a folder of derived images."""


def is_single_file(path: Path) -> bool:
    """Whether an output is one DICOM file (named .dcm or .dicom) rather than a folder."""
    return path.suffix.lower() in (".dcm", ".dicom")


def check_dicom_output(volume: Volume, path: Path) -> None:
    """Refuse an output that cannot hold the volume.

    Args:
        volume: what was read from DICOM.
        path: a folder, or a file for a single image.

    Raises:
        InputError: with the remedy.
    """
    count = len(volume.source.instances) if isinstance(volume.source, DicomSource) else 1
    if is_single_file(path) and count > 1:
        raise InputError(f"{path} names one file for {count} images; name a folder")
    if path.suffix.lower() in (".nii", ".gz", ".png", ".tif", ".tiff", ".jpg"):
        raise InputError(f"{path} is no DICOM output, and DICOM stays DICOM; name a folder")


def write_dicom(
    volume: Volume,
    source: DicomSource,
    path: Path,
    provenance: Provenance,
    transfer_syntax: str = "explicit",
) -> None:
    """Write the derived series: a folder of 00001.dcm, 00002.dcm, ... in frame order, or one .dcm file.

    Args:
        volume: finer frames in stored values.
        source: where they derive from.
        path: the output, checked to be free.
        provenance: what was done.
        transfer_syntax: a key of `TRANSFER_SYNTAXES`.

    Raises:
        InputError: if the finer image is larger than DICOM can describe.
        ValueError: if the volume does not fit its source.
        MonaiSRError: if the disk refuses; nothing is left then.
    """
    encoding = source.instances[0].encoding
    rows, columns = encoding.rows, encoding.columns
    check_encodable(volume, len(source.places), rows, columns, encoding.dtype, provenance.scale_factor)
    if max(rows, columns) * provenance.scale_factor > _MAX_ROWS:
        raise InputError(
            f"{path} would need more than {_MAX_ROWS} rows or columns; use a smaller scale factor"
        )
    with quiet_pydicom():
        series = derive_series(source, provenance)
        syntax = TRANSFER_SYNTAXES[transfer_syntax]
        if is_single_file(path):
            with atomic_file(path) as file:
                _write(source.instances[0], next(_pixels(volume, source)), series, provenance, syntax, file)
            return
        with atomic_folder(path) as folder:
            for number, pixels in enumerate(_pixels(volume, source), start=1):
                file = folder / f"{number:05d}.dcm"
                _write(source.instances[number - 1], pixels, series, provenance, syntax, file)


def _pixels(volume: Volume, source: DicomSource) -> Iterator[bytes]:
    """PixelData of each file, one after the other."""
    # The volume's frames are sorted by position, a file's keep its own order.
    numbers: list[dict[int, int]] = [{} for _ in source.instances]
    for number, place in enumerate(source.places):
        numbers[place.instance][place.frame] = number
    for instance, own in zip(source.instances, numbers, strict=True):
        dtype = instance.encoding.dtype.newbyteorder("<")
        frames = (stored_frame(volume, own[frame]).astype(dtype, copy=False) for frame in sorted(own))
        pixels = b"".join(frame.tobytes() for frame in frames)
        if len(pixels) > _MAX_LENGTH:
            raise InputError(f"{instance.path} would need over 4 GiB in one file; use a smaller scale factor")
        yield pixels + b"\0" * (len(pixels) % 2)


def _write(
    instance: Instance,
    pixels: bytes,
    series: DerivedSeries,
    provenance: Provenance,
    syntax: UID,
    file: Path,
) -> None:
    try:
        derived = derive_header(instance, series, provenance)
        vr = "OW" if instance.encoding.bits_allocated > 8 else "OB"
        derived["PixelData"] = DataElement("PixelData", vr, pixels)
        if syntax != ExplicitVRLittleEndian:
            derived.compress(syntax, generate_instance_uid=False)
        dcmwrite(file, derived, enforce_file_format=True)
    except OSError:
        raise
    except Exception:
        # Reading tolerates malformed attributes that cannot be encoded; pydicom's message holds their values.
        raise MonaiSRError(
            f"{instance.path} has attributes that cannot be written; export it again"
        ) from None
