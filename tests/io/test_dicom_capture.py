"""Secondary Capture images: a picture of each frame, with its values and its patient, without its place."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless, SecondaryCaptureImageStorage

from monai_sr.errors import InputError
from monai_sr.io import DicomOutput, read_volume, write_volume
from tests.io.conftest import MULTI_FRAME
from tests.io.test_validators import iod_errors, run

FRAMES = np.random.default_rng(5).integers(0, 4096, (3, 16, 18), np.uint16)
CAPTURE = DicomOutput(secondary_capture=True)


@pytest.fixture(params=["MR", "CT", *MULTI_FRAME])
def source(request, make_series, make_multi_frame):
    if request.param in MULTI_FRAME:
        return make_multi_frame(FRAMES, request.param)
    return make_series(FRAMES, modality=request.param, bits=12)


def test_every_frame_becomes_a_picture_with_the_same_values(
    source, repeated, provenance, tmp_path, require_tool
):
    volume = repeated(read_volume(source))
    write_volume(volume, tmp_path / "out", provenance(), dicom=CAPTURE)
    write_volume(volume, tmp_path / "derived", provenance())
    files = sorted((tmp_path / "out").iterdir())
    images = [dcmread(file) for file in files]
    again = read_volume(tmp_path / "out")
    np.testing.assert_array_equal(again.array, volume.array)
    np.testing.assert_allclose(again.slope, volume.slope)
    np.testing.assert_allclose(again.intercept, volume.intercept)
    paths = [source] if source.is_file() else list(source.iterdir())
    first = {image.SOPInstanceUID: image for image in map(dcmread, paths)}
    for number, image in enumerate(images, start=1):
        assert image.SOPClassUID == image.file_meta.MediaStorageSOPClassUID == SecondaryCaptureImageStorage
        assert (image.InstanceNumber, image.ConversionType, image.ImageType) == (
            number,
            "WSD",
            ["DERIVED", "SECONDARY"],
        )
        np.testing.assert_allclose(image.PixelSpacing, (0.45, 0.3))
        assert "ImagePositionPatient" not in image
        reference = image.SourceImageSequence[0]
        origin = first[reference.ReferencedSOPInstanceUID]
        frames = origin.get("NumberOfFrames", 1)
        pixels = origin.pixel_array.reshape(frames, 16, 18)[reference.get("ReferencedFrameNumber", 1) - 1]
        np.testing.assert_array_equal(image.pixel_array[::2, ::2], pixels)
        assert (image.PatientID, image.StudyInstanceUID) == (origin.PatientID, origin.StudyInstanceUID)
        assert image.WindowCenter == origin.WindowCenter
    uids = {image.SOPInstanceUID for image in images}
    others = [dcmread(file) for file in (tmp_path / "derived").iterdir()]
    assert len(uids) == 3
    assert uids.isdisjoint({image.SOPInstanceUID for image in others})
    assert {image.SeriesInstanceUID for image in images}.isdisjoint({i.SeriesInstanceUID for i in others})
    tool = require_tool("dciodvfy")
    assert iod_errors(tool, files) <= iod_errors(tool, paths)
    assert run(require_tool("dcentvfy"), *files).returncode == 0


def test_directions_are_told_where_they_are_known(make_series, repeated, provenance, tmp_path):
    def edit(image, index):
        image.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        image.ImagePositionPatient = [index, 0, 0]

    write_volume(
        repeated(read_volume(make_series(FRAMES, edit=edit))), tmp_path / "out", provenance(), dicom=CAPTURE
    )
    assert dcmread(tmp_path / "out" / "00001.dcm").PatientOrientation == ["P", "F"]


def test_a_picture_may_be_compressed(make_series, repeated, provenance, tmp_path):
    volume = repeated(read_volume(make_series(FRAMES)))
    write_volume(volume, tmp_path / "out", provenance(), dicom=DicomOutput("jpegls", secondary_capture=True))
    np.testing.assert_array_equal(read_volume(tmp_path / "out").array, volume.array)
    assert dcmread(tmp_path / "out" / "00001.dcm").file_meta.TransferSyntaxUID == JPEGLSLossless


def test_one_file_cannot_hold_the_pictures_of_several_frames(
    make_multi_frame, repeated, provenance, tmp_path
):
    volume = repeated(read_volume(make_multi_frame(FRAMES)))
    with pytest.raises(InputError, match="one file for 3 images"):
        write_volume(volume, tmp_path / "out.dcm", provenance(), dicom=CAPTURE)
