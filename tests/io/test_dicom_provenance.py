import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
)

from monai_sr.io import read_volume, write_volume


@pytest.fixture
def derive(make_series, repeated, provenance, tmp_path):
    def run(edit=lambda image, index: None, modality="MR", **fields):
        source = make_series(modality=modality, edit=edit)
        write_volume(repeated(read_volume(source)), tmp_path / "out", provenance(**fields))
        return dcmread(source / "5-90"), dcmread(tmp_path / "out" / "00001.dcm")

    return run


def code(sequence):
    return sequence[0].CodeValue, sequence[0].CodingSchemeDesignator, sequence[0].CodeMeaning


def test_derivation_is_told(derive):
    source, derived = derive(description="Median of 3.")
    assert code(derived.DerivationCodeSequence) == ("113085", "DCM", "Spatial resampling")
    for part in ("x2", "edsr_mri 0.1.0", "ab" * 32, "Median of 3."):
        assert part in derived.DerivationDescription
    reference = derived.SourceImageSequence[0]
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert reference.ReferencedSOPClassUID == source.SOPClassUID == derived.SOPClassUID
    assert reference.SpatialLocationsPreserved == "NO"
    assert code(reference.PurposeOfReferenceCodeSequence)[:2] == ("121322", "DCM")


def test_equipment_is_the_scanner_and_the_software(derive):
    scanner, software = derive()[1].ContributingEquipmentSequence
    assert code(scanner.PurposeOfReferenceCodeSequence)[:2] == ("109101", "DCM")
    assert scanner.Manufacturer == "Maker"
    assert code(software.PurposeOfReferenceCodeSequence)[:2] == ("109102", "DCM")
    assert list(software.SoftwareVersions) == ["0.1.0", "ab" * 32, "edsr_mri 0.1.0", "torch float32"]


def test_earlier_history_is_kept(derive):
    def edit(image, index):
        image.DerivationDescription = "Filtered"
        earlier = Dataset()
        earlier.CodeValue, earlier.CodingSchemeDesignator, earlier.CodeMeaning = (
            "113040",
            "DCM",
            "Lossy Compression",
        )
        image.DerivationCodeSequence = [earlier]
        image.LossyImageCompression, image.LossyImageCompressionRatio = "01", "10"

    derived = derive(edit)[1]
    assert derived.DerivationDescription.startswith("Filtered; Super-resolution")
    assert [item.CodeValue for item in derived.DerivationCodeSequence] == ["113040", "113085"]
    assert derived.LossyImageCompression == "01"
    assert derived.LossyImageCompressionRatio == 10


@pytest.mark.parametrize(
    ("modality", "sop_class", "source_type", "expected"),
    [
        ("MR", None, ["ORIGINAL", "PRIMARY", "M", "ND"], ["DERIVED", "SECONDARY", "OTHER"]),
        ("CT", None, ["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "SECONDARY", "AXIAL"]),
        ("CT", None, ["ORIGINAL", "PRIMARY", "LOCALIZER"], ["DERIVED", "SECONDARY", "LOCALIZER"]),
        ("CT", None, ["ORIGINAL", "PRIMARY"], ["DERIVED", "SECONDARY", "AXIAL"]),
        ("CR", ComputedRadiographyImageStorage, ["ORIGINAL", "PRIMARY"], ["DERIVED", "SECONDARY"]),
        (
            "DX",
            DigitalXRayImageStorageForPresentation,
            ["ORIGINAL", "PRIMARY", ""],
            ["DERIVED", "PRIMARY", ""],
        ),
        ("OT", SecondaryCaptureImageStorage, ["ORIGINAL", "PRIMARY"], ["DERIVED", "SECONDARY"]),
    ],
)
def test_image_type_is_one_that_its_class_allows(derive, modality, sop_class, source_type, expected):
    def edit(image, index):
        image.ImageType = source_type
        image.SOPClassUID = sop_class or image.SOPClassUID

    assert derive(edit, modality)[1].ImageType == expected
