"""How a derived DICOM image says that it is derived, by what and from what."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.coding import Code
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    MRImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    OphthalmicTomographyImageStorage,
    SecondaryCaptureImageStorage,
)

from monai_sr.volume import Provenance

# Values that the image's own definition allows for a derived image; CT keeps its value 3, AXIAL or LOCALIZER.
_IMAGE_TYPES = {
    MRImageStorage: ["DERIVED", "SECONDARY", "OTHER"],
    CTImageStorage: ["DERIVED", "SECONDARY", "AXIAL"],
    ComputedRadiographyImageStorage: ["DERIVED", "SECONDARY"],
    DigitalXRayImageStorageForPresentation: ["DERIVED", "PRIMARY", ""],
    DigitalXRayImageStorageForProcessing: ["DERIVED", "PRIMARY", ""],
    SecondaryCaptureImageStorage: ["DERIVED", "SECONDARY"],
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage: ["DERIVED", "SECONDARY"],
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage: ["DERIVED", "SECONDARY"],
}
_FRAME_TYPE_SEQUENCES = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence")
_ALWAYS_LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless)
_RESAMPLING = Code("113085", "DCM", "Spatial resampling")
_SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")
_MODEL = "monai-sr"
_ACQUISITION = Code("109101", "DCM", "Acquisition Equipment")
_PROCESSING = Code("109102", "DCM", "Processing Equipment")


def describe(derived: Dataset, source: FileDataset, provenance: Provenance, frame: int | None = None) -> None:
    """Say in place that an image without functional groups is derived, how, and from which one.

    Args:
        derived: header of the derived image, with its SOPClassUID.
        source: header of its source.
        provenance: what was done.
        frame: number of the source's frame, from 1, if the image is of one frame of several.
    """
    image_type = list(_IMAGE_TYPES[derived.SOPClassUID])
    source_type = source.get("ImageType") or []
    if derived.SOPClassUID == CTImageStorage and len(source_type) > 2 and source_type[2]:
        image_type[2] = source_type[2]
    derived.ImageType = image_type
    derived.DerivationDescription = _description(source, provenance)
    derived.DerivationCodeSequence = [*(source.get("DerivationCodeSequence") or ()), _coded(_RESAMPLING)]
    derived.SourceImageSequence = [_reference(source, frame)]
    _mark_lossy(derived, source)


def describe_frames(derived: Dataset, source: FileDataset, provenance: Provenance) -> None:
    """Say in place that an image with functional groups is derived, how, and frame by frame from what.

    Args:
        derived: header of the derived image.
        source: header of its source.
        provenance: what was done.
    """
    derived.ImageType = _enhanced_type(source.get("ImageType"), source.SOPClassUID)
    shared = list(derived.get("SharedFunctionalGroupsSequence") or ())
    for groups in (*shared, *derived.PerFrameFunctionalGroupsSequence):
        for keyword in _FRAME_TYPE_SEQUENCES:
            for item in groups.get(keyword) or ():
                item.FrameType = _enhanced_type(item.get("FrameType"), source.SOPClassUID)
    for number, groups in enumerate(derived.PerFrameFunctionalGroupsSequence, start=1):
        derivation = Dataset()
        derivation.DerivationDescription = _description(source, provenance)
        derivation.DerivationCodeSequence = [_coded(_RESAMPLING)]
        derivation.SourceImageSequence = [_reference(source, number)]
        groups.DerivationImageSequence = [*(groups.get("DerivationImageSequence") or ()), derivation]
    referenced = Dataset()
    referenced.ReferencedSOPClassUID = source.SOPClassUID
    referenced.ReferencedSOPInstanceUID = source.SOPInstanceUID
    evidence = Dataset()
    evidence.SeriesInstanceUID = source.get("SeriesInstanceUID")
    evidence.ReferencedSOPSequence = [referenced]
    study = Dataset()
    study.StudyInstanceUID = source.get("StudyInstanceUID")
    study.ReferencedSeriesSequence = [evidence]
    derived.SourceImageEvidenceSequence = [*(source.get("SourceImageEvidenceSequence") or ()), study]
    series = Dataset()
    series.SeriesInstanceUID = source.get("SeriesInstanceUID")
    series.ReferencedInstanceSequence = [copy.deepcopy(referenced)]
    derived.ReferencedSeriesSequence = [*(source.get("ReferencedSeriesSequence") or ()), series]
    _mark_lossy(derived, source)


def _enhanced_type(source_type: Sequence[str] | None, sop_class: str) -> list[str]:
    if sop_class == OphthalmicTomographyImageStorage:
        return ["DERIVED", "SECONDARY"]
    third = source_type[2] if source_type is not None and len(source_type) > 2 else "OTHER"
    return ["DERIVED", "PRIMARY", third, "RESAMPLED"]


def _description(source: Dataset, provenance: Provenance) -> str:
    parts = (
        str(source.get("DerivationDescription") or ""),
        f"Super-resolution x{provenance.scale_factor} in plane, not for diagnosis, {_maker(provenance)}",
        provenance.description.encode("ascii", "replace").decode(),
    )
    return "; ".join(filter(None, parts))[:1024]


def _reference(source: Dataset, frame: int | None = None) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = source.SOPClassUID
    reference.ReferencedSOPInstanceUID = source.SOPInstanceUID
    if frame is not None:
        reference.ReferencedFrameNumber = frame
    reference.SpatialLocationsPreserved = "NO"
    reference.PurposeOfReferenceCodeSequence = [_coded(_SOURCE_IMAGE)]
    return reference


def _mark_lossy(derived: Dataset, source: FileDataset) -> None:
    """Carry over in place a loss by compression that only the source's transfer syntax tells of."""
    if source.file_meta.get("TransferSyntaxUID") in _ALWAYS_LOSSY:
        derived.LossyImageCompression = "01"


def _maker(provenance: Provenance) -> str:
    return f"{provenance.origin}, {provenance.computation}, monai-sr {provenance.software_version}"


def add_equipment(derived: Dataset, provenance: Provenance) -> None:
    """Append the software to ContributingEquipmentSequence, in place, and the scanner if nothing is there.

    Args:
        derived: header of the derived image, with its source's equipment.
        provenance: what was done.
    """
    equipment = list(derived.get("ContributingEquipmentSequence") or ())
    if not equipment:
        equipment.append(_acquisition_equipment(derived))
    processing = Dataset()
    processing.PurposeOfReferenceCodeSequence = [_coded(_PROCESSING)]
    processing.Manufacturer = "monai_sr contributors"
    processing.ManufacturerModelName = _MODEL
    processing.SoftwareVersions = [
        provenance.software_version,
        provenance.weights_sha256,
        f"{provenance.bundle} {provenance.bundle_version}"[:64],
        provenance.computation,
    ]
    processing.ContributionDescription = _maker(provenance)
    derived.ContributingEquipmentSequence = [*equipment, processing]


def is_ours(header: Dataset) -> bool:
    """Whether this software took part in making an image.

    Args:
        header: with ContributingEquipmentSequence, where the image has one.

    Returns:
        True if its equipment is among the others.
    """
    equipment = header.get("ContributingEquipmentSequence")
    items = equipment if isinstance(equipment, DicomSequence) else ()
    return any(item.get("ManufacturerModelName") == _MODEL for item in items)


def _acquisition_equipment(derived: Dataset) -> Dataset:
    acquisition = Dataset()
    acquisition.PurposeOfReferenceCodeSequence = [_coded(_ACQUISITION)]
    acquisition.Manufacturer = derived.get("Manufacturer") or "Unknown"
    for keyword in ("StationName", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"):
        if derived.get(keyword):
            setattr(acquisition, keyword, derived.get(keyword))
    return acquisition


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    return item
