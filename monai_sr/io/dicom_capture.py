"""Secondary Capture: a finer frame as a picture, for what accepts no derived image of the source's class."""

from __future__ import annotations

import copy

import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from monai_sr.io.dicom_derive import DerivedSeries, derived_uid, identify
from monai_sr.io.dicom_frames import attribute_places
from monai_sr.io.dicom_grid import decimal_string
from monai_sr.io.dicom_provenance import add_equipment, describe
from monai_sr.io.dicom_types import Instance
from monai_sr.volume import Provenance

# What a Secondary Capture image may keep: the patient, study and series, the equipment, what is said of the
# image in general, how its pixels are stored and how their values are meant to be seen.
_KEPT = (
    *("SpecificCharacterSet", "TimezoneOffsetFromUTC"),
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("PatientSize", "PatientWeight", "PatientSpeciesDescription", "ResponsiblePerson"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    *("StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName"),
    *("Modality", "ProtocolName", "BodyPartExamined", "Laterality", "PatientPosition"),
    *("Manufacturer", "InstitutionName", "StationName", "ManufacturerModelName", "DeviceSerialNumber"),
    *("SoftwareVersions", "ContributingEquipmentSequence"),
    *("ContentDate", "ContentTime", "AcquisitionDate", "AcquisitionTime", "AcquisitionNumber"),
    *("ImageComments", "BurnedInAnnotation", "RecognizableVisualFeatures", "QualityControlImage"),
    *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
    *("DerivationDescription", "DerivationCodeSequence"),
    *("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
)
_VIEW = ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction", "VOILUTSequence")
_DIRECTIONS = {"R": "R", "L": "L", "A": "A", "P": "P", "S": "H", "I": "F"}


def capture(
    instance: Instance,
    frame: int,
    number: int,
    affine: np.ndarray,
    series: DerivedSeries,
    provenance: Provenance,
) -> Dataset:
    """Header of a Secondary Capture image of a finer frame, complete but for its pixels.

    Args:
        instance: the source.
        frame: index of the frame in it.
        number: InstanceNumber, from 1.
        affine: (4, 4), voxel (row, column, frame) to RAS mm.
        series: what the images share.
        provenance: what was done.

    Returns:
        A dataset with file meta information for Explicit VR Little Endian. Its values and their rescaling are
        the source's; where it lies is lost but for PixelSpacing and PatientOrientation.
    """
    header, facts = instance.header, instance.frames[frame]
    places = attribute_places(header, frame)
    derived = Dataset()
    for keyword in _KEPT:
        if keyword in header:
            derived[keyword] = copy.deepcopy(header[keyword])
    for keyword in _VIEW:
        found = next((place[keyword] for place in places if place.get(keyword) not in (None, "")), None)
        if found is not None:
            derived[keyword] = copy.deepcopy(found)
    derived.SOPClassUID = SecondaryCaptureImageStorage
    derived.ConversionType = "WSD"
    derived.InstanceNumber = number
    derived.Rows = instance.encoding.rows * provenance.scale_factor
    derived.Columns = instance.encoding.columns * provenance.scale_factor
    if facts.spacing:
        derived.PixelSpacing = [decimal_string(value / provenance.scale_factor) for value in facts.spacing]
    if facts.plane:
        rows, columns = (_DIRECTIONS[code] for code in nib.aff2axcodes(affine)[:2])
        derived.PatientOrientation = [columns, rows]
    if (facts.slope, facts.intercept) != (1, 0):
        rescale_type = next((p.RescaleType for p in places if p.get("RescaleType")), "US")
        derived.RescaleSlope = decimal_string(facts.slope)
        derived.RescaleIntercept = decimal_string(facts.intercept)
        derived.RescaleType = rescale_type
    describe(derived, header, provenance, None if instance.number_of_frames == 1 else frame + 1)
    add_equipment(derived, provenance)
    source_uid = f"{header.SOPInstanceUID} frame {frame}"
    identify(derived, derived_uid(source_uid, "secondary capture", provenance), series)
    return derived
