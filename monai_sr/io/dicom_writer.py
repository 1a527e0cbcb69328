"""Writing a volume as a DICOM series derived from the one that was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless, RLELossless

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io.atomic import atomic_file, atomic_folder
from monai_sr.io.dicom_capture import capture
from monai_sr.io.dicom_derive import DerivedSeries, derive_header, derive_series
from monai_sr.io.dicom_header import quiet_pydicom
from monai_sr.io.dicom_map import check_maps, interval_map, map_series
from monai_sr.io.dicom_types import DicomSource, Instance
from monai_sr.io.encoding import check_encodable, stored_frame
from monai_sr.volume import Consistency, Provenance, Volume

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


@dataclass(frozen=True)
class DicomOutput:
    """How derived DICOM is written.

    Args:
        transfer_syntax: a key of `TRANSFER_SYNTAXES`.
        secondary_capture: write each frame as a Secondary Capture image, which any archive and viewer takes,
            but which does not say where it lies; by default the source's own class is kept.

    Raises:
        InputError: if there is no such transfer syntax.
    """

    transfer_syntax: str = "explicit"
    secondary_capture: bool = False

    def __post_init__(self) -> None:
        if self.transfer_syntax not in TRANSFER_SYNTAXES:
            names = ", ".join(TRANSFER_SYNTAXES)
            raise InputError(f"There is no transfer syntax {self.transfer_syntax}; use one of {names}")


def is_single_file(path: Path) -> bool:
    """Whether an output is one DICOM file (named .dcm or .dicom) rather than a folder."""
    return path.suffix.lower() in (".dcm", ".dicom")


def check_dicom_output(
    source: DicomSource, path: Path, output: DicomOutput, with_intervals: bool = False
) -> None:
    """Refuse an output that cannot hold the volume.

    Args:
        source: of the volume.
        path: a folder, or a file for a single image.
        output: how it is to be written.
        with_intervals: whether a series of maps is to be written, too.

    Raises:
        InputError: with the remedy.
    """
    count = len(source.places if output.secondary_capture else source.instances)
    if is_single_file(path) and count > 1:
        raise InputError(f"{path} names one file for {count} images; name a folder")
    if path.suffix.lower() in (".nii", ".gz", ".png", ".tif", ".tiff", ".jpg"):
        raise InputError(f"{path} is no DICOM output, and DICOM stays DICOM; name a folder")
    if with_intervals:
        if output.secondary_capture:
            raise InputError("A Secondary Capture has no place for intervals; leave --uncertainty out")
        check_maps(source.instances)


def write_dicom(
    volume: Volume,
    source: DicomSource,
    path: Path,
    provenance: Provenance,
    output: DicomOutput,
    maps: Path | None = None,
) -> None:
    """Write the derived series: a folder of 00001.dcm, 00002.dcm, ... in frame order, or one .dcm file.

    A map of its intervals is written for each image as the image is, so that none need be kept.

    Args:
        volume: finer frames in stored values.
        source: where they derive from.
        path: the output, checked to be free.
        provenance: what was done.
        output: how it is to be written.
        maps: where the maps go, likewise; for a volume with intervals.

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
    syntax = TRANSFER_SYNTAXES[output.transfer_syntax]
    images = _captures if output.secondary_capture else _derived
    with quiet_pydicom(), ExitStack() as outputs:
        single = is_single_file(path)
        place, *map_place = (
            outputs.enter_context(atomic_file(target) if single else atomic_folder(target))
            for target in (path, maps)
            if target is not None
        )
        for number, image in enumerate(images(volume, source, provenance), start=1):
            name = "" if single else f"{number:05d}.dcm"
            parts = image.source.path, image.header, image.frames
            derived = write_image_file(*parts, syntax, place / name)
            for folder in map_place:
                _write_map(image, derived, volume, provenance, number, folder / name)


@dataclass(frozen=True, eq=False)
class _Image:
    """A derived image to write.

    Args:
        source: it derives from.
        header: makes its header.
        numbers: of its frames in the volume, in their order.
        frames: finer, likewise.
        series: that it is of.
    """

    source: Instance
    header: Callable[[], Dataset]
    numbers: list[int]
    frames: list[np.ndarray]
    series: DerivedSeries


def _derived(volume: Volume, source: DicomSource, provenance: Provenance) -> Iterator[_Image]:
    """An image for each of the source's files."""
    series = derive_series(source, provenance)
    # The volume's frames are sorted by position, a file's keep its own order.
    numbers: list[dict[int, int]] = [{} for _ in source.instances]
    for number, place in enumerate(source.places):
        numbers[place.instance][place.frame] = number
    for instance, own in zip(source.instances, numbers, strict=True):
        order = [own[frame] for frame in sorted(own)]
        frames = [stored_frame(volume, number) for number in order]
        told = _told(provenance, volume, order)
        yield _Image(instance, partial(derive_header, instance, series, told), order, frames, series)


def _captures(volume: Volume, source: DicomSource, provenance: Provenance) -> Iterator[_Image]:
    """An image for each frame, in the volume's order."""
    series = derive_series(source, provenance, "secondary capture series")
    for number, place in enumerate(source.places):
        instance = source.instances[place.instance]
        frame = stored_frame(volume, number)
        told = _told(provenance, volume, [number])
        header = partial(capture, instance, place.frame, number + 1, volume.affine, series, told)
        yield _Image(instance, header, [number], [frame], series)


def _told(provenance: Provenance, volume: Volume, frames: list[int]) -> Provenance:
    """With what is known of frames that were made."""
    found = Consistency.over(volume.consistency[frame] for frame in frames if frame in volume.consistency)
    width = volume.intervals.width(frames) if volume.intervals else None
    told = (provenance.description, str(found or ""), str(width or ""), *volume.findings)
    return replace(provenance, description="; ".join(filter(None, told)))


def write_image_file(
    source: Path, header: Callable[[], Dataset], frames: list[np.ndarray], syntax: UID, file: Path
) -> Dataset:
    """Write one derived image.

    Args:
        source: file that it derives from, for messages.
        header: makes the derived header.
        frames: stored values.
        syntax: the transfer syntax.
        file: to write.

    Returns:
        The derived header.

    Raises:
        InputError: if the image is larger than a file can hold.
        MonaiSRError: if the header cannot be written.
        OSError: if the disk refuses.
    """
    size = sum(frame.nbytes for frame in frames)
    if size > _MAX_LENGTH:
        raise InputError(f"{source} would need over 4 GiB in one file; use a smaller scale factor")
    with _attributes_of(source):
        derived = header()
        vr = "OW" if derived.BitsAllocated > 8 else "OB"
        dtype = frames[0].dtype.newbyteorder("<")
        pixels = b"".join(frame.astype(dtype, copy=False).tobytes() for frame in frames) + b"\0" * (size % 2)
        # From a buffer pydicom writes a part at a time, where it would copy bytes twice.
        plain = syntax == ExplicitVRLittleEndian
        derived["PixelData"] = DataElement("PixelData", vr, BytesIO(pixels) if plain else pixels)
        if not plain:
            derived.compress(syntax, generate_instance_uid=False)
        dcmwrite(file, derived, enforce_file_format=True)
        del derived.PixelData
    return derived


def _write_map(
    image: _Image, derived: Dataset, volume: Volume, provenance: Provenance, number: int, file: Path
) -> None:
    """Write the intervals of a derived image."""
    if volume.intervals is None:
        raise ValueError("volume has no intervals: give one of an upscaler with uncertainty")
    half_width = np.stack([volume.intervals.take(index) for index in image.numbers])
    if half_width.nbytes > _MAX_LENGTH:
        raise InputError(f"{image.source.path} would need over 4 GiB in one map; leave out --uncertainty")
    coverage, thickness = volume.intervals.coverage, image.source.frames[0].thickness
    series = map_series(image.series, provenance, coverage)
    with _attributes_of(image.source.path):
        made = interval_map(derived, half_width, series, number, thickness, provenance, coverage)
        dcmwrite(file, made, enforce_file_format=True)


@contextmanager
def _attributes_of(path: Path) -> Iterator[None]:
    """Say whose attributes cannot be written; pydicom's message holds their values."""
    try:
        yield
    except (OSError, MonaiSRError):
        raise
    except Exception:
        # Reading tolerates malformed attributes that cannot be encoded.
        raise MonaiSRError(f"{path} has attributes that cannot be written; export it again") from None
