import dataclasses

import highdicom
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom import dcmread

from monai_sr.errors import InputError
from monai_sr.io import DicomOutput, read_volume
from monai_sr.io.slice_writer import write_slices
from tests.io.conftest import SPACING, STEP, oblique
from tests.io.test_slice_writer import finer
from tests.io.test_validators import iod_errors, run

COUNT, FINE = 5, 17


@pytest.fixture
def written(make_series, provenance, tmp_path):
    """The source's folder, and the folder of its finer slices."""
    frames = np.random.default_rng(0).integers(0, 4096, (COUNT, 10, 12), np.uint16)
    folder = make_series(frames, bits=12)
    write_slices(finer(read_volume(folder), FINE), tmp_path / "finer", provenance(1))
    return folder, tmp_path / "finer"


def test_each_slice_lies_where_it_was_found(written):
    folder, out = written
    images = [dcmread(path) for path in sorted(out.iterdir())]
    assert len(images) == FINE
    orientation = oblique()
    normal = np.cross(orientation[:3], orientation[3:])
    distance = STEP * COUNT / FINE
    first = np.array([-30.0, 12.5, 40.25]) - (STEP - distance) / 2 * normal
    for index, image in enumerate(images):
        np.testing.assert_allclose(image.ImagePositionPatient, first + index * distance * normal, atol=1e-4)
        assert float(image.SliceThickness) == float(image.SpacingBetweenSlices) == pytest.approx(distance)
        assert float(image.SliceLocation) == pytest.approx((index + 0.5) * distance - STEP / 2)
        assert image.InstanceNumber == index + 1
        np.testing.assert_allclose(image.PixelSpacing, SPACING)
    source, result = read_volume(folder), read_volume(out)
    for corner in np.ndindex(2, 2, 2):
        before, after = (
            volume.affine @ [*np.multiply(corner, np.roll(volume.array.shape, -1)) - 0.5, 1]
            for volume in (source, result)
        )
        np.testing.assert_allclose(after, before, atol=1e-3)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(out)))
    assert reader.Execute().GetSpacing()[2] == pytest.approx(distance, rel=1e-5)


def test_identity_and_sources(written):
    folder, out = written
    sources = {image.SOPInstanceUID: image for image in map(dcmread, folder.iterdir())}
    images = [dcmread(path) for path in sorted(out.iterdir())]
    assert len({image.SOPInstanceUID for image in images} - set(sources)) == FINE
    assert len({image.SeriesInstanceUID for image in images}) == 1
    assert images[0].ImageType == ["DERIVED", "SECONDARY", "OTHER"]
    for image in images:
        assert image.file_meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID
        assert image.DerivationDescription.startswith("Slices found between slices, 5 to 17")
        assert "in plane" not in image.DerivationDescription
        referenced = [sources[item.ReferencedSOPInstanceUID] for item in image.SourceImageSequence]
        distances = [
            np.linalg.norm(np.subtract(image.ImagePositionPatient, source.ImagePositionPatient))
            for source in referenced
        ]
        assert min(distances) <= STEP / 2
        assert 2 <= len(distances) <= 3
        assert image.SeriesNumber != 5
    assert images[0].SourceImageSequence[0].ReferencedSOPInstanceUID.endswith(".1")
    assert images[-1].SourceImageSequence[-1].ReferencedSOPInstanceUID.endswith(".5")


def test_again_is_the_same_and_another_number_of_slices_is_not(written, provenance, tmp_path):
    folder, out = written
    write_slices(finer(read_volume(folder), FINE), tmp_path / "again", provenance(1))
    for path in out.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    write_slices(finer(read_volume(folder), 20), tmp_path / "more", provenance(1))
    uids = [{dcmread(path).SOPInstanceUID for path in each.iterdir()} for each in (out, tmp_path / "more")]
    assert not uids[0] & uids[1]


def test_it_is_as_valid_as_its_source(written, require_tool):
    source, derived = (sorted(folder.iterdir()) for folder in written)
    dciodvfy = require_tool("dciodvfy")
    assert iod_errors(dciodvfy, derived) - iod_errors(dciodvfy, source) == set()
    consistency = run(require_tool("dcentvfy"), *source, *derived)
    assert consistency.returncode == 0, consistency.stderr
    assert run(require_tool("dcmftest"), *derived).returncode == 0


def test_highdicom_sees_a_regular_volume(written):
    _, out = written
    volume = highdicom.get_volume_from_series([dcmread(path) for path in sorted(out.iterdir())])
    assert volume.spatial_shape == (FINE, 10, 12)
    np.testing.assert_allclose(sorted(volume.spacing), sorted([*SPACING, STEP * COUNT / FINE]), rtol=1e-4)


def test_secondary_capture_and_other_frames_are_refused(make_series, provenance, tmp_path):
    volume = read_volume(make_series())
    with pytest.raises(InputError, match="--secondary-capture"):
        write_slices(volume, tmp_path / "out", provenance(1), DicomOutput(secondary_capture=True))
    with pytest.raises(ValueError, match="as the source's"):
        write_slices(finer_in_plane(volume), tmp_path / "out", provenance(1))
    assert not (tmp_path / "out").exists()


def finer_in_plane(volume):
    return dataclasses.replace(volume, array=np.asarray(volume.array).repeat(2, 1))
