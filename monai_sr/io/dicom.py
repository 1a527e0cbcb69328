"""Reading DICOM images: a file, or a folder of any number of series."""

from __future__ import annotations

import filecmp
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.uid import UID

from monai_sr.errors import InputError
from monai_sr.geometry import same_orientation, slice_affine, slice_positions, spacing_findings
from monai_sr.io.dicom_header import quiet_pydicom, read_header, read_instance
from monai_sr.io.dicom_pixels import decode
from monai_sr.io.dicom_provenance import is_ours
from monai_sr.io.dicom_types import DicomSource, Frame, Instance, Place
from monai_sr.volume import MAX_VOXELS, Acquisition, LazyFrames, Volume

_logger = logging.getLogger(__name__)

_GROUPING_KEYWORDS = [
    "SOPClassUID",
    "Modality",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "Rows",
]
_SPACING_TOLERANCE = 1e-3
_AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Series:
    """Files of one DICOM series, not yet decoded.

    Args:
        folder: the folder that was searched.
        study_uid: StudyInstanceUID, empty where files have none.
        series_uid: SeriesInstanceUID, empty where files have none: those of one folder are a series.
        modality: Modality, such as "MR".
        paths: the files, sorted by name.
        study_series: SeriesNumber and SeriesInstanceUID of every series of the same study in the folder.
    """

    folder: Path
    study_uid: str
    series_uid: str
    modality: str
    paths: tuple[Path, ...]
    study_series: tuple[tuple[int, str], ...]

    def is_derived(self) -> bool:
        """Whether this software made the series, by its first file.

        Raises:
            InputError: if that cannot be read.
        """
        with quiet_pydicom():
            header = read_header(self.paths[0], ["ContributingEquipmentSequence"])
            return header is not None and is_ours(header)

    def read(self) -> Volume:
        """The series as a volume, whose frames are decoded when they are asked for.

        Returns:
            Its frames in the order of their position along the normal; `array` is `LazyFrames`.

        Raises:
            InputError: if an instance cannot be read, or the instances are no single stack.
        """
        with quiet_pydicom():
            return _assemble([read_instance(path) for path in self.paths], self.folder, self.study_series)


def read_file(path: Path) -> Volume:
    """Volume of one frame from one DICOM file.

    Args:
        path: a single-frame image.

    Returns:
        The volume.

    Raises:
        InputError: if the file cannot be read.
    """
    with quiet_pydicom():
        instance = read_instance(path)
        number, uid = (
            _whole_number(instance.header.get("SeriesNumber")),
            instance.header.get("SeriesInstanceUID"),
        )
        return _assemble([instance], path, ((number, str(uid or "")),))


@dataclass(frozen=True)
class Scan:
    """What lies below a folder.

    Args:
        series: sorted by study, SeriesNumber and SeriesInstanceUID.
        damaged: what cannot be read though it may be part of a series, and why; a file whose series is known
            is among that series' paths too.
        others: files that are no DICOM images.
    """

    series: list[Series]
    damaged: dict[Path, str]
    others: list[Path]


def list_series(folder: Path) -> list[Series]:
    """Series below a folder, from headers alone.

    Args:
        folder: searched as by `scan_folder`; a file named .dcm must be DICOM.

    Returns:
        The series, sorted by study, SeriesNumber and SeriesInstanceUID.

    Raises:
        InputError: if there is no DICOM image, or a damaged one.
    """
    scan = scan_folder(folder)
    # A series that lost a slice would pass for a whole one: what may be a slice must be readable.
    for reason in scan.damaged.values():
        raise InputError(reason)
    if not scan.series:
        raise InputError(
            f"{folder} holds no DICOM image ({len(scan.others)} other files); name another folder"
        )
    if scan.others:
        _logger.warning("%s: files passed over, not being DICOM images: %d", folder, len(scan.others))
    return scan.series


def scan_folder(folder: Path) -> Scan:
    """Series, damaged files and files of other kinds below a folder, from headers alone.

    Args:
        folder: searched with all its subfolders; hidden entries and DICOMDIR are passed over.

    Returns:
        What was found.
    """
    found: dict[tuple[str, str, str], list[Path]] = {}
    first: dict[tuple[str, str, str], tuple[int, str]] = {}
    damaged: dict[Path, str] = {}
    others: list[Path] = []
    with quiet_pydicom():
        for path in _files(folder, damaged):
            try:
                header = read_header(path, _GROUPING_KEYWORDS)
            except InputError as error:
                damaged[path] = str(error)
                continue
            uid = "" if header is None else str(header.get("SeriesInstanceUID") or "")
            is_damaged = _is_damaged(path, header)
            if header is None and is_damaged:
                damaged[path] = (
                    f"{path} does not begin as a DICOM file does, with preamble and DICM; "
                    "export it again or take it out of the folder"
                )
            elif is_damaged:
                damaged[path] = f"{path} is damaged; copy it again or take it out of the folder"
            if header is not None and ("Rows" in header or (is_damaged and uid)):
                # Without a UID only what lies together can be one series.
                key = str(header.get("StudyInstanceUID") or ""), uid, "" if uid else str(path.parent)
                number, modality = header.get("SeriesNumber"), str(header.get("Modality") or "")
                first.setdefault(key, (_whole_number(number), modality))
                found.setdefault(key, []).append(path)
            elif not is_damaged:
                others.append(path)
    studies: dict[str, list[tuple[int, str]]] = {}
    for (study, uid, _), (number, _) in first.items():
        studies.setdefault(study, []).append((number, uid))
    same_study = {study: tuple(sorted(numbers)) for study, numbers in studies.items()}
    series = []
    for key in sorted(found, key=lambda key: (key[0], first[key], key[1:])):
        study, uid, _ = key
        series.append(Series(folder, study, uid, first[key][1], tuple(found[key]), same_study[study]))
    return Scan(series, damaged, others)


def _is_damaged(path: Path, header: FileDataset | None) -> bool:
    if header is None:
        return path.suffix.lower() == ".dcm"
    # A file that ends too early reads as one without its last attributes.
    sop_class = header.file_meta.get("MediaStorageSOPClassUID") or header.get("SOPClassUID")
    return "Rows" not in header and (not sop_class or UID(str(sop_class)).name.endswith("Image Storage"))


def _files(folder: Path, damaged: dict[Path, str]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        damaged[Path(error.filename)] = (
            f"{error.filename} cannot be opened ({error.strerror}); check the folder"
        )

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            # Opening a pipe would wait for ever; a link that leads nowhere is left to be refused.
            if (
                not name.startswith(".")
                and name.upper() != "DICOMDIR"
                and (path.is_file() or not path.exists())
            ):
                yield path


def _whole_number(value: object) -> int:
    return int(value) if isinstance(value, (int, str)) and str(value).strip().isdigit() else 0


def _assemble(instances: Sequence[Instance], path: Path, study_series: tuple[tuple[int, str], ...]) -> Volume:
    instances = _without_copies(instances)
    places = _order(instances, path)
    # Derived files are numbered in the order of their first frames.
    rank = {index: number for number, index in enumerate(dict.fromkeys(place.instance for place in places))}
    instances = [instances[index] for index in rank]
    places = [Place(rank[place.instance], place.frame) for place in places]
    frames = [instances[place.instance].frames[place.frame] for place in places]
    encoding = instances[0].encoding
    _check_stack(instances, frames, path)
    if len({str(instance.header.get("PatientID") or "") for instance in instances}) > 1:
        _logger.warning("%s: one series with several PatientIDs; check that it is of one patient", path)

    def stored(index: int) -> NDArray[Any]:
        place = places[index]
        with quiet_pydicom():
            return decode(instances[place.instance], place.frame)

    return Volume(
        array=LazyFrames((len(frames), encoding.rows, encoding.columns), encoding.dtype, stored),
        affine=_affine(frames, instances[0].path),
        slope=np.array([frame.slope for frame in frames]),
        intercept=np.array([frame.intercept for frame in frames]),
        stored_range=encoding.stored_range,
        source=DicomSource(tuple(instances), tuple(places), study_series),
        path=path,
        padding=next((instance.padding for instance in instances if instance.padding), None),
        acquisition=Acquisition(
            str(instances[0].header.get("Modality") or "").strip().upper(),
            str(instances[0].header.get("BodyPartExamined") or "").strip().upper(),
            frames[0].spacing is not None,
            any(is_ours(instance.header) for instance in instances),
        ),
    )


def _without_copies(instances: Sequence[Instance]) -> list[Instance]:
    kept: dict[str, Instance] = {}
    for instance in instances:
        first = kept.setdefault(str(instance.header.SOPInstanceUID), instance)
        if first is instance:
            continue
        if not filecmp.cmp(first.path, instance.path, shallow=False):
            raise InputError(
                f"{instance.path} and {first.path} have the same SOPInstanceUID; remove one of them"
            )
        _logger.warning("%s: passed over, a copy of %s", instance.path, first.path)
    return list(kept.values())


def _order(instances: list[Instance], path: Path) -> list[Place]:
    """Frames by their position along the normal."""
    places = [
        Place(number, frame)
        for number, instance in enumerate(instances)
        for frame in range(instance.number_of_frames)
    ]
    frames = [instances[place.instance].frames[place.frame] for place in places]
    planes = [frame.plane for frame in frames if frame.plane]
    if planes and len(planes) < len(frames):
        raise InputError(f"{path} mixes images with and without a position; give each kind its own folder")
    distances = np.zeros(len(frames))
    if not same_orientation([plane.orientation for plane in planes] or [_AXIAL]):
        if len(instances) > 1:
            raise InputError(
                f"{path} mixes orientations (a localizer?); give each orientation its own folder"
            )
        # Radial or stacked scans in one file: its own order is the only one.
        _logger.warning("%s: frames of several orientations; each is upscaled on its own", path)
    elif planes:
        distances = slice_positions([plane.position for plane in planes], planes[0].orientation)
        for finding in spacing_findings(np.sort(distances)):
            _logger.warning("%s: %s; each slice is upscaled on its own", path, finding)

    def key(index: int) -> tuple[float, int, str, int]:
        # Images at one position (echoes, or projections, which have none) keep the acquisition's own order.
        place = places[index]
        header = instances[place.instance].header
        number = _whole_number(header.get("InstanceNumber"))
        return round(float(distances[index]), 3), number, str(header.SOPInstanceUID), place.frame

    return [places[index] for index in sorted(range(len(places)), key=key)]


def _check_stack(instances: list[Instance], frames: list[Frame], path: Path) -> None:
    first = instances[0]
    for instance in instances[1:]:
        if instance.encoding[:2] != first.encoding[:2]:
            raise InputError(
                f"{path} mixes images of different sizes (a localizer?); give each kind its own folder"
            )
        if instance.encoding != first.encoding:
            raise InputError(
                f"{path} mixes images of different pixel encodings; give each kind its own folder"
            )
    for frame in frames:
        if not np.allclose(frame.spacing or 1, frames[0].spacing or 1, rtol=_SPACING_TOLERANCE, atol=0):
            raise InputError(
                f"{path} mixes images of different pixel spacings; give each kind its own folder"
            )
    if len({instance.padding for instance in instances} - {None}) > 1:
        raise InputError(f"{path} mixes several PixelPaddingValues; upscale each image as a file of its own")
    if len(frames) * first.encoding.rows * first.encoding.columns > MAX_VOXELS:
        raise InputError(f"{path} holds over {MAX_VOXELS} voxels, more than is supported; split the series")


def _affine(frames: list[Frame], path: Path) -> np.ndarray:
    first = frames[0]
    if first.spacing is None:
        _logger.warning("%s: no pixel spacing, 1 mm is assumed", path)
    return slice_affine(
        [frame.plane.position if frame.plane else (0.0, 0.0, 0.0) for frame in frames],
        first.plane.orientation if first.plane else _AXIAL,
        first.spacing or (1.0, 1.0),
        first.thickness,
    )
