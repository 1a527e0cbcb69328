"""Images of many frames: read one by one in the order of their positions, written in the file's."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless, RLELossless

from monai_sr.errors import InputError
from monai_sr.io import open_volume, read_volume, write_volume
from tests.io.conftest import MULTI_FRAME, group

FRAMES = np.random.default_rng(3).integers(0, 4096, (3, 10, 12), np.uint16)


@pytest.mark.parametrize("kind", list(MULTI_FRAME))
def test_frames_come_by_position_with_their_own_rescaling(make_multi_frame, kind):
    volume = read_volume(make_multi_frame(FRAMES, kind))
    expected = FRAMES[::-1] if kind == "multi-frame SC" else FRAMES
    np.testing.assert_array_equal(volume.array, expected)
    np.testing.assert_allclose(volume.spacing[:2], (0.9, 0.6), atol=1e-6)
    if kind != "multi-frame SC":
        assert volume.spacing[2] == pytest.approx(4)
        assert volume.intercept.tolist() == [0, -1, -2]


@pytest.mark.parametrize("kind", list(MULTI_FRAME))
def test_a_derived_image_keeps_the_order_of_its_source(
    make_multi_frame, repeated, provenance, tmp_path, kind
):
    file = make_multi_frame(FRAMES, kind)
    write_volume(repeated(read_volume(file)), tmp_path / "out", provenance())
    source, derived = dcmread(file), dcmread(tmp_path / "out" / "00001.dcm")
    finer = source.pixel_array.repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(derived.pixel_array, finer)
    assert derived.NumberOfFrames == 3
    assert derived.SOPInstanceUID != source.SOPInstanceUID
    if kind == "multi-frame SC":
        assert [float(value) for value in derived.PixelSpacing] == [0.45, 0.3]
        assert derived.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
        return
    assert derived.ImageType[0] == "DERIVED"
    evidence = derived.SourceImageEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.SeriesInstanceUID == source.SeriesInstanceUID
    assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    for number, groups in enumerate(derived.PerFrameFunctionalGroupsSequence, start=1):
        reference = groups.DerivationImageSequence[0].SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert reference.ReferencedFrameNumber == number
        intercept = groups.PixelValueTransformationSequence[0].RescaleIntercept
        assert (
            intercept
            == source.PerFrameFunctionalGroupsSequence[number - 1]["PixelValueTransformationSequence"][
                0
            ].RescaleIntercept
        )
    if "MR" in kind or "CT" in kind:
        frame_type = derived.SharedFunctionalGroupsSequence[0][f"{kind[-2:]}ImageFrameTypeSequence"][
            0
        ].FrameType
        assert list(frame_type) == list(derived.ImageType) == ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_compressed_frames_are_decoded_one_by_one(make_multi_frame, syntax):
    file = make_multi_frame(FRAMES)
    image = dcmread(file)
    image.compress(syntax, generate_instance_uid=False)
    image.save_as(file)
    np.testing.assert_array_equal(open_volume(file).array[1], FRAMES[1])


def test_radial_scans_in_one_file_keep_their_order(make_multi_frame, caplog):
    def edit(image):
        del image.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
        for index, groups in enumerate(image.PerFrameFunctionalGroupsSequence):
            turn = [np.cos(index), np.sin(index), 0, 0, 0, 1]
            groups.PlaneOrientationSequence = group(
                ImageOrientationPatient=[f"{value:.9f}" for value in turn]
            )

    volume = read_volume(make_multi_frame(FRAMES, "OPT", edit=edit))
    np.testing.assert_array_equal(volume.array, FRAMES[::-1])
    assert "several orientations" in caplog.text


def test_frames_of_different_spacing_are_refused(make_multi_frame):
    def edit(image):
        image.PerFrameFunctionalGroupsSequence[1].PixelMeasuresSequence = group(PixelSpacing=[1, 1])

    with pytest.raises(InputError, match="pixel spacings"):
        read_volume(make_multi_frame(FRAMES, edit=edit))
