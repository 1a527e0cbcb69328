"""Reading classic single-frame DICOM: a file, or a folder of any number of series."""

from __future__ import annotations

import filecmp
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.uid import UID

from monai_sr.errors import InputError
from monai_sr.geometry import same_orientation, slice_affine, slice_positions, spacing_findings
from monai_sr.io.dicom_header import quiet_pydicom, read_header, read_instance
from monai_sr.io.dicom_pixels import decode, padding_mask
from monai_sr.io.dicom_types import DicomSource, Instance
from monai_sr.volume import MAX_VOXELS, Volume

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
        series_uid: SeriesInstanceUID, empty where files have none.
        modality: Modality, such as "MR".
        paths: the files, sorted by name.
        study_series: SeriesNumber and SeriesInstanceUID of every series of the same study in the folder.
    """

    folder: Path
    series_uid: str
    modality: str
    paths: tuple[Path, ...]
    study_series: tuple[tuple[int, str], ...]

    def read(self) -> Volume:
        """Decode the series.

        Returns:
            Its frames in the order of their position along the normal.

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


def list_series(folder: Path) -> list[Series]:
    """Series below a folder, from headers alone.

    Args:
        folder: searched with all its subfolders; hidden entries, DICOMDIR and whatever is no DICOM image are
            passed over, but a file named .dcm must be DICOM.

    Returns:
        The series, sorted by study, SeriesNumber and SeriesInstanceUID.

    Raises:
        InputError: if there is no DICOM image, or a damaged one.
    """
    found: dict[tuple[str, str], list[Path]] = {}
    first: dict[tuple[str, str], tuple[int, str]] = {}
    passed_over = 0
    with quiet_pydicom():
        for path in _files(folder):
            # A series that lost a slice would pass for a whole one: what may be a slice must be readable.
            header = read_header(path, _GROUPING_KEYWORDS)
            if _is_damaged(path, header):
                raise InputError(f"{path} is damaged; copy it again or take it out of the folder")
            if header is None or "Rows" not in header:
                passed_over += 1
                continue
            key = str(header.get("StudyInstanceUID") or ""), str(header.get("SeriesInstanceUID") or "")
            first.setdefault(
                key, (_whole_number(header.get("SeriesNumber")), str(header.get("Modality") or ""))
            )
            found.setdefault(key, []).append(path)
    if not found:
        raise InputError(f"{folder} holds no DICOM image ({passed_over} other files); name another folder")
    if passed_over:
        _logger.info("%s: passed over %d files that are not DICOM images", folder, passed_over)
    listed = []
    for study, uid in sorted(found, key=lambda key: (key[0], first[key], key[1])):
        same_study = tuple(sorted((first[key][0], key[1]) for key in found if key[0] == study))
        listed.append(Series(folder, uid, first[study, uid][1], tuple(found[study, uid]), same_study))
    return listed


def _is_damaged(path: Path, header: FileDataset | None) -> bool:
    if header is None:
        return path.suffix.lower() == ".dcm"
    # A file that ends too early reads as one without its last attributes.
    sop_class = header.file_meta.get("MediaStorageSOPClassUID") or header.get("SOPClassUID")
    return "Rows" not in header and (not sop_class or UID(str(sop_class)).name.endswith("Image Storage"))


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.upper() != "DICOMDIR":
                yield Path(parent, name)


def _whole_number(value: object) -> int:
    return int(value) if isinstance(value, (int, str)) and str(value).strip().isdigit() else 0


def _assemble(instances: Sequence[Instance], path: Path, study_series: tuple[tuple[int, str], ...]) -> Volume:
    instances = _order(_without_copies(instances), path)
    encoding = instances[0].encoding
    _check_stack(instances, path)
    array = np.empty((len(instances), encoding.rows, encoding.columns), encoding.dtype)
    padding = np.zeros(array.shape, np.bool_)
    for index, instance in enumerate(instances):
        array[index] = decode(instance)
        padding[index] = padding_mask(array[index], instance)
    if len({str(instance.header.get("PatientID") or "") for instance in instances}) > 1:
        _logger.warning("%s: one series with several PatientIDs; check that it is of one patient", path)
    padding_values = {instance.padding_value for instance in instances} - {None}
    padded = bool(padding.any())
    return Volume(
        array=array,
        affine=_affine(instances),
        slope=np.array([instance.slope for instance in instances]),
        intercept=np.array([instance.intercept for instance in instances]),
        stored_range=encoding.stored_range,
        source=DicomSource(tuple(instances), study_series),
        path=path,
        padding=padding if padded else None,
        padding_value=float(padding_values.pop() or 0) if padded else None,
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


def _order(instances: list[Instance], path: Path) -> list[Instance]:
    planes = [instance.plane for instance in instances if instance.plane]
    if planes and len(planes) < len(instances):
        raise InputError(f"{path} mixes images with and without a position; give each kind its own folder")
    if not same_orientation([plane.orientation for plane in planes] or [_AXIAL]):
        raise InputError(f"{path} mixes orientations (a localizer?); give each orientation its own folder")
    distances = np.zeros(len(instances))
    if planes:
        distances = slice_positions([plane.position for plane in planes], planes[0].orientation)
        for finding in spacing_findings(np.sort(distances)):
            _logger.warning("%s: %s; each slice is upscaled on its own", path, finding)

    def key(index: int) -> tuple[float, int, str]:
        # Images at one position (echoes, or projections, which have none) keep the acquisition's own order.
        header = instances[index].header
        number = _whole_number(header.get("InstanceNumber"))
        return round(float(distances[index]), 3), number, str(header.SOPInstanceUID)

    return [instances[index] for index in sorted(range(len(instances)), key=key)]


def _check_stack(instances: list[Instance], path: Path) -> None:
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
        if not np.allclose(instance.spacing or 1, first.spacing or 1, rtol=_SPACING_TOLERANCE, atol=0):
            raise InputError(
                f"{path} mixes images of different pixel spacings; give each kind its own folder"
            )
    if len({instance.padding_value for instance in instances} - {None}) > 1:
        raise InputError(f"{path} mixes several PixelPaddingValues; upscale each image as a file of its own")
    if len(instances) * first.encoding.rows * first.encoding.columns > MAX_VOXELS:
        raise InputError(f"{path} holds over {MAX_VOXELS} voxels, more than is supported; split the series")


def _affine(instances: list[Instance]) -> np.ndarray:
    first = instances[0]
    if first.spacing is None:
        _logger.warning("%s: no pixel spacing, 1 mm is assumed", first.path)
    return slice_affine(
        [instance.plane.position if instance.plane else (0.0, 0.0, 0.0) for instance in instances],
        first.plane.orientation if first.plane else _AXIAL,
        first.spacing or (1.0, 1.0),
        first.thickness,
    )
