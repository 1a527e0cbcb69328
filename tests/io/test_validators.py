"""What DICOM's own tools say of derived series beside their sources."""

import re
import shutil
import subprocess
import zipfile

import highdicom
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)

from monai_sr.io import read_volume, write_volume
from tests.io.conftest import MULTI_FRAME

SCALE = 2


def run(*command):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, errors="replace", check=False
    )


def iod_errors(tool, files):
    """Distinct errors of dciodvfy, without item numbers and values, which name the very instance."""
    errors = set()
    for file in files:
        result = run(tool, "-new", file)
        for line in (result.stdout + result.stderr).splitlines():
            if line.startswith("Error"):
                errors.add(re.sub(r"\[[0-9]*\]", "[]", line))
    return errors


@pytest.fixture(params=["MR", "CT", "CT_small"])
def series(request, make_series, repeated, provenance, tmp_path):
    """Source files and derived files."""
    if request.param == "CT_small":
        folder = tmp_path / "source"
        folder.mkdir()
        shutil.copy(get_testdata_file("CT_small.dcm"), folder)
    else:
        frames = np.random.default_rng(0).integers(0, 4096, (4, 32, 40), np.uint16)
        folder = make_series(frames, modality=request.param, bits=12)
    return derive(folder, repeated, provenance, tmp_path / "derived")


PROJECTIONS = {
    "CR": ComputedRadiographyImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
    "DX for processing": DigitalXRayImageStorageForProcessing,
    "SC": SecondaryCaptureImageStorage,
}


@pytest.mark.parametrize("kind", list(PROJECTIONS))
def test_an_image_without_a_position_is_as_valid_as_its_source(
    make_series, repeated, provenance, tmp_path, require_tool, kind
):
    def edit(image, index):
        image.SOPClassUID, image.Modality = PROJECTIONS[kind], kind.split()[0].replace("SC", "OT")
        image.ImagerPixelSpacing = image.PixelSpacing
        image.ImageType = ["ORIGINAL", "PRIMARY", ""] if kind.startswith("DX") else ["ORIGINAL", "PRIMARY"]
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceLocation"):
            delattr(image, keyword)
        image.PhotometricInterpretation = "MONOCHROME1"

    frames = np.random.default_rng(0).integers(0, 4096, (2, 32, 40), np.uint16)
    folder = make_series(frames, modality="CT", bits=12, edit=edit)
    source, derived = derive(folder, repeated, provenance, tmp_path / "derived")
    assert_as_valid(source, derived, require_tool)
    image = dcmread(derived[0])
    assert (image.SOPClassUID, image.PhotometricInterpretation) == (PROJECTIONS[kind], "MONOCHROME1")
    np.testing.assert_allclose(image.ImagerPixelSpacing, (0.45, 0.3))


FALSE_ALARM = "Attribute present when condition unsatisfied"
"""dciodvfy takes pulse sequence attributes for forbidden in a DERIVED Enhanced MR, which they are not."""


@pytest.mark.parametrize("kind", list(MULTI_FRAME))
def test_an_image_of_many_frames_is_as_valid_as_its_source(
    make_multi_frame, repeated, provenance, tmp_path, require_tool, kind
):
    frames = np.random.default_rng(0).integers(0, 4096, (3, 32, 40), np.uint16)
    folder = make_multi_frame(frames, kind).parent
    source, derived = derive(folder, repeated, provenance, tmp_path / "derived")
    assert_as_valid(source, derived, require_tool)
    if kind.startswith("enhanced"):
        volume = highdicom.imread(derived[0]).get_volume()
        assert volume.spatial_shape == (3, 64, 80)
        np.testing.assert_allclose(volume.pixel_spacing, (0.45, 0.3))


@pytest.mark.data
@pytest.mark.parametrize("name", ["d2n_philips_enhanced", "d2n_siemens_enhanced"])
def test_a_real_enhanced_image_is_as_valid_as_its_source(
    data_dir, repeated, provenance, tmp_path, require_tool, name
):
    folder = data_dir / "dicom" / name
    source, derived = derive(folder, repeated, provenance, tmp_path / "derived")
    assert_as_valid(source, derived, require_tool)
    np.testing.assert_array_equal(
        highdicom.imread(derived[0]).get_stored_frame(8), dcmread(derived[0]).pixel_array[7]
    )


def assert_as_valid(source, derived, require_tool):
    new = iod_errors(require_tool("dciodvfy"), derived) - iod_errors(require_tool("dciodvfy"), source)
    assert [error for error in new if FALSE_ALARM not in error or "MRPulseSequence" not in error] == []
    consistency = run(require_tool("dcentvfy"), *source, *derived)
    assert consistency.returncode == 0, consistency.stderr
    assert run(require_tool("dcmftest"), *derived).returncode == 0
    for file in derived:
        frame = highdicom.imread(file).get_stored_frame(1)
        np.testing.assert_array_equal(frame, dcmread(file).pixel_array.reshape(-1, *frame.shape)[0])


@pytest.fixture
def real_series(data_dir, repeated, provenance, tmp_path):
    return derive(data_dir / "dicom" / "series_ge_pd_oblique", repeated, provenance, tmp_path / "derived")


@pytest.fixture
def sound_real_series(data_dir, repeated, provenance, tmp_path):
    """Six slices of a scanner whose UIDs are valid, so that nothing has to be excused."""
    with zipfile.ZipFile(data_dir / "dicom" / "series_uih_t1_part.zip") as archive:
        for number, name in enumerate(sorted(name for name in archive.namelist() if not name.endswith("/"))):
            (tmp_path / "source").mkdir(exist_ok=True)
            (tmp_path / "source" / f"{number}.dcm").write_bytes(archive.read(name))
    return derive(tmp_path / "source", repeated, provenance, tmp_path / "derived")


def derive(folder, repeated, provenance, out):
    write_volume(repeated(read_volume(folder), SCALE), out, provenance(SCALE))
    return sorted(folder.iterdir()), sorted(out.iterdir())


def test_derived_series_is_as_valid_as_its_source(series, require_tool):
    assert_as_valid(*series, require_tool)


def test_sound_real_derived_series_brings_no_error_at_all(sound_real_series, require_tool):
    source, derived = sound_real_series
    assert iod_errors(require_tool("dciodvfy"), derived) <= iod_errors(require_tool("dciodvfy"), source)
    assert run(require_tool("dcentvfy"), *source, *derived).returncode == 0
    assert run(require_tool("dcmftest"), *derived).returncode == 0


def test_real_derived_series_is_as_valid_as_its_source(real_series, require_tool):
    source, derived = real_series
    new = iod_errors(require_tool("dciodvfy"), derived) - iod_errors(require_tool("dciodvfy"), source)
    # The source's own UIDs have a root that is not allowed, so that a true reference to them has it, too.
    assert all("SourceImageSequence" in error and "Illegal root for UID" in error for error in new)

    def complaints(*files):
        lines = run(require_tool("dcentvfy"), *files).stderr.splitlines()
        return {line.split(" - ")[1] for line in lines if line.startswith("Error")}

    assert complaints(*source, *derived) <= complaints(*source)
    assert run(require_tool("dcmftest"), *derived).returncode == 0


def field_of_view(spacing, size):
    return np.array(spacing) * np.array(size)


def check_fields_of_view(source, derived, dcm2niix, tmp_path):
    images = []
    for name, files in (("source", source), ("derived", derived)):
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(files[0].parent)))
        itk = reader.Execute()
        out = tmp_path / f"nifti-{name}"
        out.mkdir()
        result = run(dcm2niix, "-b", "n", "-z", "n", "-f", "image", "-o", out, files[0].parent)
        assert result.returncode == 0, result.stdout
        (nifti,) = out.glob("*.nii")
        images.append((itk, nib.load(nifti)))
    (itk, nifti), (finer_itk, finer_nifti) = images
    assert finer_itk.GetSize() == (SCALE * itk.GetSize()[0], SCALE * itk.GetSize()[1], itk.GetSize()[2])
    np.testing.assert_allclose(
        field_of_view(finer_itk.GetSpacing(), finer_itk.GetSize()),
        field_of_view(itk.GetSpacing(), itk.GetSize()),
    )
    # Corners of the field of view, half a pixel outside the first and last centres.
    for x in (0, 1):
        for y in (0, 1):
            corner, finer = (
                image.TransformContinuousIndexToPhysicalPoint(
                    (x * image.GetSize()[0] - 0.5, y * image.GetSize()[1] - 0.5, 0.0)
                )
                for image in (itk, finer_itk)
            )
            np.testing.assert_allclose(finer, corner, atol=1e-4)
            corner, finer = (
                image.affine @ [x * image.shape[0] - 0.5, y * image.shape[1] - 0.5, 0, 1]
                for image in (nifti, finer_nifti)
            )
            np.testing.assert_allclose(finer, corner, atol=1e-3)


def test_other_readers_see_the_same_field_of_view(make_series, repeated, provenance, require_tool, tmp_path):
    folder = make_series(np.random.default_rng(0).integers(0, 4096, (4, 32, 40), np.uint16), bits=12)
    source, derived = derive(folder, repeated, provenance, tmp_path / "derived")
    check_fields_of_view(source, derived, require_tool("dcm2niix"), tmp_path)


def test_other_readers_see_the_same_field_of_view_of_a_real_series(real_series, require_tool, tmp_path):
    check_fields_of_view(*real_series, require_tool("dcm2niix"), tmp_path)


def test_what_validators_do_not_see_holds_in_a_real_series(real_series):
    source, derived = real_series
    by_uid = {image.SOPInstanceUID: image for image in map(dcmread, source)}
    for image in map(dcmread, derived):
        origin = by_uid[image.SourceImageSequence[0].ReferencedSOPInstanceUID]
        assert image.SOPInstanceUID not in by_uid
        assert image.ImageType == ["DERIVED", "SECONDARY", "OTHER"]
        np.testing.assert_allclose(image.PixelSpacing, np.array(origin.PixelSpacing) / SCALE)
        moved = np.subtract(image.ImagePositionPatient, origin.ImagePositionPatient)
        np.testing.assert_allclose(np.linalg.norm(moved), np.linalg.norm(origin.PixelSpacing) / 4, rtol=1e-4)
        np.testing.assert_array_equal(image.pixel_array[::SCALE, ::SCALE], origin.pixel_array)
        assert not [
            element for element in image.iterall() if element.tag.is_private or element.tag.group >> 8 == 0x60
        ]
