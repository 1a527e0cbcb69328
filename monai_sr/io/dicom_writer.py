"""Writing a volume as a DICOM series derived from the one that was read."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmwrite
from pydicom.dataelem import DataElement

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io.atomic import atomic_file, atomic_folder
from monai_sr.io.dicom_derive import DerivedSeries, derive_header, derive_series
from monai_sr.io.dicom_header import quiet_pydicom
from monai_sr.io.dicom_types import DicomSource
from monai_sr.io.encoding import check_encodable, stored_frame
from monai_sr.volume import Provenance, Volume

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


def write_dicom(volume: Volume, source: DicomSource, path: Path, provenance: Provenance) -> None:
    """Write the derived series: a folder of 00001.dcm, 00002.dcm, ... in frame order, or one .dcm file.

    Args:
        volume: finer frames in stored values.
        source: where they derive from.
        path: the output, checked to be free.
        provenance: what was done.

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
        if is_single_file(path):
            with atomic_file(path) as file:
                _write(volume, source, 0, series, provenance, file)
            return
        with atomic_folder(path) as folder:
            for index in range(len(source.instances)):
                _write(volume, source, index, series, provenance, folder / f"{index + 1:05d}.dcm")


def _write(
    volume: Volume, source: DicomSource, index: int, series: DerivedSeries, provenance: Provenance, file: Path
) -> None:
    instance = source.instances[index]
    dtype = instance.encoding.dtype.newbyteorder("<")
    # The volume's frames are sorted by position, a file's keep its own order.
    order = sorted(
        (place.frame, number) for number, place in enumerate(source.places) if place.instance == index
    )
    frames = [stored_frame(volume, number).astype(dtype, copy=False).tobytes() for _, number in order]
    pixels = b"".join(frames) + b"\0" * (sum(map(len, frames)) % 2)
    if len(pixels) > _MAX_LENGTH:
        raise InputError(f"{instance.path} would need over 4 GiB in one file; use a smaller scale factor")
    try:
        derived = derive_header(instance, series, provenance)
        vr = "OW" if instance.encoding.bits_allocated > 8 else "OB"
        derived["PixelData"] = DataElement("PixelData", vr, pixels)
        dcmwrite(file, derived, enforce_file_format=True)
    except OSError:
        raise
    except Exception:
        # Reading tolerates malformed attributes that cannot be encoded; pydicom's message holds their values.
        raise MonaiSRError(
            f"{instance.path} has attributes that cannot be written; export it again"
        ) from None
