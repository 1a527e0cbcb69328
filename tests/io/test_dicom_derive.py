import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from monai_sr.io import read_series, read_volume, write_volume

STUDY = ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID", "WindowCenter")


def litter(image, index):
    """Everything that no longer holds in a derived image."""
    for group in (0x6000, 0x6002):
        image.add_new((group, 0x0010), "US", 2)
        image.add_new((group, 0x3000), "OW", b"\1\2")
    image.add_new((0x5000, 0x0005), "US", 2)
    image.SmallestImagePixelValue, image.LargestImagePixelValue = 0, 4095
    icon = Dataset()
    icon.Rows = 1
    image.IconImageSequence = [icon]
    image.add_new((0xFFFA, 0xFFFA), "SQ", [Dataset()])
    image.add_new((0xFFFC, 0xFFFC), "OB", b"\0" * 10)
    image.private_block(0x0029, "MAKER", create=True).add_new(1, "LO", "private")
    referenced = Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = image.SOPClassUID, "1.2.3"
    referenced.private_block(0x0029, "MAKER", create=True).add_new(1, "LO", "nested private")
    image.ReferencedImageSequence = [referenced]


@pytest.fixture
def derive(make_series, repeated, provenance, tmp_path):
    """Function from an edit of headers to the source and derived datasets, both in the order of frames."""

    def run(edit=lambda image, index: None, scale_factor=2, **options):
        volume = read_volume(make_series(edit=edit, **options))
        write_volume(
            repeated(volume, scale_factor), tmp_path / "out", provenance(scale_factor), overwrite=True
        )
        sources = [dcmread(instance.path) for instance in volume.source.instances]
        return sources, [dcmread(file) for file in sorted((tmp_path / "out").iterdir())]

    return run


@pytest.mark.parametrize("scale_factor", [2, 4])
def test_grid_is_finer_over_the_same_field_of_view(derive, scale_factor):
    for source, derived in zip(*derive(scale_factor=scale_factor), strict=True):
        assert (derived.Rows, derived.Columns) == (source.Rows * scale_factor, source.Columns * scale_factor)
        np.testing.assert_allclose(derived.PixelSpacing, np.array(source.PixelSpacing) / scale_factor)
        along_row, along_column = np.array(source.ImageOrientationPatient).reshape(2, 3)
        between_rows, between_columns = source.PixelSpacing
        shift = (1 / scale_factor - 1) / 2 * (between_columns * along_row + between_rows * along_column)
        np.testing.assert_allclose(
            derived.ImagePositionPatient, source.ImagePositionPatient + shift, atol=1e-9
        )
        for keyword in ("ImagePositionPatient", "PixelSpacing"):
            assert all(len(str(value)) <= 16 for value in derived[keyword].value)
        for keyword in (
            "SliceThickness",
            "SliceLocation",
            "ImageOrientationPatient",
            "InstanceNumber",
            *STUDY,
        ):
            assert derived[keyword].value == source[keyword].value


def test_every_pixel_spacing_is_scaled(derive):
    def edit(image, index):
        image.ImagerPixelSpacing = [0.2, 0.1]
        image.NominalScannedPixelSpacing = [0.4, 0.3]
        image.SpacingBetweenSlices = 4
        image.AcquisitionMatrix = [0, 10, 12, 0]
        image.ReconstructionDiameter = 250

    derived = derive(edit)[1][0]
    assert derived.ImagerPixelSpacing == [0.1, 0.05]
    assert derived.NominalScannedPixelSpacing == [0.2, 0.15]
    assert derived.SpacingBetweenSlices == 4
    assert derived.AcquisitionMatrix == [0, 10, 12, 0]
    assert derived.ReconstructionDiameter == 250


def test_encoding_is_the_source_s(derive):
    for source, derived in zip(*derive(), strict=True):
        for keyword in (
            "BitsAllocated",
            "BitsStored",
            "HighBit",
            "PixelRepresentation",
            "PhotometricInterpretation",
        ):
            assert derived[keyword].value == source[keyword].value
        assert derived.pixel_array.max() < 2**12


def test_identity_is_new_and_the_same_in_every_run(derive):
    sources, first = derive()
    again = derive()[1]
    uids = {image.SOPInstanceUID for image in first}
    assert len(uids) == 3
    assert not uids & {image.SOPInstanceUID for image in sources}
    assert uids == {image.SOPInstanceUID for image in again}
    assert {image.SeriesInstanceUID for image in first} == {image.SeriesInstanceUID for image in again}
    assert len({image.SeriesInstanceUID for image in (*first, sources[0])}) == 2
    for image in first:
        assert image.SOPInstanceUID.startswith("2.25.")
        assert len(image.SOPInstanceUID) <= 64
        assert image.file_meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID


def test_other_weights_or_scale_give_other_uids(make_series, repeated, provenance, tmp_path):
    volume = read_volume(make_series())
    seen = set()
    for index, (scale, sha) in enumerate([(2, "ab"), (2, "cd"), (4, "ab")]):
        out = tmp_path / f"out{index}"
        write_volume(repeated(volume, scale), out, provenance(scale, weights_sha256=sha))
        image = dcmread(out / "00001.dcm")
        seen |= {image.SOPInstanceUID, image.SeriesInstanceUID}
    assert len(seen) == 6


def test_what_no_longer_holds_is_gone(derive):
    for derived in derive(litter)[1]:
        groups = {element.tag.group for element in derived.iterall()}
        assert not {group for group in groups if group >> 8 in (0x50, 0x60) or group % 2}
        for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "IconImageSequence"):
            assert keyword not in derived
        for keyword in ("DigitalSignaturesSequence", "DataSetTrailingPadding", "InstanceCreationDate"):
            assert keyword not in derived
        assert derived.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3"
        assert b"private" not in str(derived).encode()


def test_source_headers_stay_as_they_were(make_series, repeated, provenance, tmp_path):
    volume = read_volume(make_series(edit=litter))
    before = [str(instance.header) for instance in volume.source.instances]
    write_volume(repeated(volume), tmp_path / "out", provenance())
    assert [str(instance.header) for instance in volume.source.instances] == before


def test_series_is_numbered_described_and_dated_once(derive):
    def edit(image, index):
        image.SeriesDescription = "d" * 64
        image.SeriesTime = f"10111{index}"

    derived = derive(edit)[1]
    assert {image.SeriesNumber for image in derived} == {2005}
    assert len({image.SeriesTime for image in derived}) == 1
    assert {len(image.SeriesDescription) for image in derived} == {64}
    assert derived[0].SeriesDescription.endswith("SR x2 edsr_mri")


def test_series_numbers_do_not_collide(make_series, repeated, provenance, tmp_path):
    for series in (5, 6, 2005):
        folder = make_series(np.zeros((1, 4, 4), np.uint16), series=series)
    numbers = []
    for index, volume in enumerate(read_series(folder)):
        out = tmp_path / f"out{index}"
        write_volume(repeated(volume), out, provenance())
        numbers.append(int(dcmread(out / "00001.dcm").SeriesNumber))
    assert len({5, 6, 2005, *numbers}) == 6


def test_series_without_number_description_or_date_is_served(derive):
    def edit(image, index):
        for keyword in ("SeriesNumber", "SeriesDescription", "SeriesDate", "SeriesTime"):
            delattr(image, keyword)

    derived = derive(edit)[1][0]
    assert derived.SeriesNumber == 2000
    assert derived.SeriesDescription == "SR x2 edsr_mri"
    assert "SeriesDate" not in derived


def test_text_in_another_character_set_survives(derive):
    def edit(image, index):
        image.SpecificCharacterSet = "ISO_IR 192"
        image.PatientName, image.SeriesDescription = "Müller^Jörg", "Schädel"

    derived = derive(edit)[1][0]
    assert derived.PatientName == "Müller^Jörg"
    assert derived.SeriesDescription == "Schädel SR x2 edsr_mri"
