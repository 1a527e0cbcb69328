"""Header of a derived DICOM image: what stays, what is new, what no longer holds and goes."""

from __future__ import annotations

import copy
import hashlib
import uuid
from dataclasses import dataclass

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
)

from monai_sr.io.dicom_enhanced import derive_groups
from monai_sr.io.dicom_frames import is_enhanced
from monai_sr.io.dicom_grid import scale_position, scale_shutters, scale_spacing
from monai_sr.io.dicom_provenance import add_equipment, describe
from monai_sr.io.dicom_types import DicomSource, Instance
from monai_sr.volume import Provenance

_IMPLEMENTATION_CLASS_UID = UID("2.25.264263103911206741229128963253912384219")

_STALE = {
    Tag(keyword)
    for keyword in (
        "InstanceCreationDate",
        "InstanceCreationTime",
        "InstanceCreatorUID",
        "ImagePosition",
        "SmallestImagePixelValue",
        "LargestImagePixelValue",
        "SmallestPixelValueInSeries",
        "LargestPixelValueInSeries",
        "SmallestImagePixelValueInPlane",
        "LargestImagePixelValueInPlane",
        "PixelDataProviderURL",
        "IconImageSequence",
        "MACParametersSequence",
        "DigitalSignaturesSequence",
        "DataSetTrailingPadding",
    )
}


@dataclass(frozen=True)
class DerivedSeries:
    """What all instances of a derived series share.

    Args:
        uid: SeriesInstanceUID.
        study_uid: StudyInstanceUID, the source's where it has one.
        number: SeriesNumber.
        description: SeriesDescription, at most 64 characters.
        date: SeriesDate, the source's, so that a second run writes the same bytes; empty where unknown.
        time: SeriesTime, likewise.
    """

    uid: str
    study_uid: str
    number: int
    description: str
    date: str
    time: str


def derived_uid(source_uid: str, role: str, provenance: Provenance) -> str:
    """UID that depends on the source and on what was done to it, so that a re-run names the same object.

    Args:
        source_uid: UID of the source.
        role: what is named, such as "series".
        provenance: what was done.

    Returns:
        A UID below 2.25.
    """
    parts = (
        role,
        source_uid,
        str(provenance.scale_factor),
        provenance.bundle,
        provenance.bundle_version,
        provenance.weights_sha256,
        provenance.computation,
        provenance.software_version,
    )
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def derive_series(source: DicomSource, provenance: Provenance, role: str = "series") -> DerivedSeries:
    """Identity of the derived series.

    Args:
        source: the series it derives from.
        provenance: what was done.
        role: what kind of derived series it is, since a source may have one of each.

    Returns:
        What its instances share.
    """
    headers = [instance.header for instance in source.instances]
    first = headers[0]
    # Only a file that breaks the standard lacks these UIDs; its first instance then stands for them.
    series_uid = str(first.get("SeriesInstanceUID") or first.SOPInstanceUID)
    study_uid = str(first.get("StudyInstanceUID") or derived_uid(first.SOPInstanceUID, "study", provenance))
    suffix = f"SR x{provenance.scale_factor} {provenance.bundle}"[:40]
    description = str(first.get("SeriesDescription") or "")[: 63 - len(suffix)]
    dated = next((header for header in headers if header.get("SeriesDate")), Dataset())
    return DerivedSeries(
        uid=derived_uid(series_uid, role, provenance),
        study_uid=study_uid,
        number=_series_number(source, str(first.get("SeriesInstanceUID") or ""), provenance.scale_factor),
        description=f"{description} {suffix}".strip(),
        date=str(dated.get("SeriesDate") or ""),
        time=str(dated.get("SeriesTime") or ""),
    )


def _series_number(source: DicomSource, series_uid: str, scale_factor: int) -> int:
    # Every series of the study takes its number in turn, so that none meets a source's or another's.
    taken = {number for number, _ in source.study_series}
    for number, uid in sorted(source.study_series):
        candidate = number + 1000 * scale_factor
        while candidate in taken:
            candidate += 1
        taken.add(candidate)
        if uid == series_uid:
            return candidate
    raise ValueError("study_series does not list the series itself")


def derive_header(instance: Instance, series: DerivedSeries, provenance: Provenance) -> Dataset:
    """Header of the derived instance, complete but for its pixels.

    Args:
        instance: the source.
        series: what the derived instances share.
        provenance: what was done.

    Returns:
        A dataset with file meta information for Explicit VR Little Endian; the source is left as it is.
    """
    derived = copy.deepcopy(instance.header)
    _drop_stale(derived)
    _scale_grid(derived, instance, provenance.scale_factor)
    if is_enhanced(derived):
        derive_groups(derived, instance, provenance)
    else:
        describe(derived, instance.header, provenance)
    add_equipment(derived, provenance)

    identify(derived, derived_uid(instance.header.SOPInstanceUID, "instance", provenance), series)
    return derived


def identify(derived: Dataset, uid: str, series: DerivedSeries) -> None:
    """Give a derived image in place its own identity, its series' and file meta information.

    Args:
        derived: with its SOPClassUID.
        uid: SOPInstanceUID.
        series: what the derived images share.
    """
    derived.SOPInstanceUID = uid
    derived.StudyInstanceUID = series.study_uid
    derived.SeriesInstanceUID = series.uid
    derived.SeriesNumber = series.number
    derived.SeriesDescription = series.description
    for keyword, value in (("SeriesDate", series.date), ("SeriesTime", series.time)):
        if value:
            setattr(derived, keyword, value)
        elif keyword in derived:
            delattr(derived, keyword)

    derived.preamble = b"\0" * 128
    derived.file_meta = FileMetaDataset()
    derived.file_meta.MediaStorageSOPClassUID = derived.SOPClassUID
    derived.file_meta.MediaStorageSOPInstanceUID = derived.SOPInstanceUID
    derived.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    derived.file_meta.ImplementationClassUID = _IMPLEMENTATION_CLASS_UID
    derived.file_meta.ImplementationVersionName = "MONAI_SR"


def _drop_stale(dataset: Dataset) -> None:
    for tag in list(dataset.keys()):
        if _is_stale(tag):
            del dataset[tag]
        elif dataset[tag].VR == "SQ":
            for item in dataset[tag].value:
                _drop_stale(item)


def _is_stale(tag: BaseTag) -> bool:
    overlay_or_curve = tag.group >> 8 in (0x50, 0x60)
    return tag.is_private or overlay_or_curve or tag.group < 0x0008 or tag in _STALE


def _scale_grid(derived: Dataset, instance: Instance, scale_factor: int) -> None:
    scale_spacing(derived, scale_factor)
    scale_position(derived, instance.frames[0], scale_factor)
    scale_shutters(derived, scale_factor)
    derived.Rows = instance.encoding.rows * scale_factor
    derived.Columns = instance.encoding.columns * scale_factor
