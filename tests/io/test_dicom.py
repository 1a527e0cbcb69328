import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import BasicTextSRStorage, ExplicitVRLittleEndian

from monai_sr.errors import InputError
from monai_sr.io import list_series, read_series, read_volume
from monai_sr.io.dicom import scan_folder


def turn(image, index):
    if index:
        image.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]


def spread(image, index):
    if index:
        image.PixelSpacing = [0.5, 0.5]


def widen(image, index):
    if index:
        image.BitsStored, image.HighBit = 16, 15


def strip(image, index):
    if index:
        del image.ImagePositionPatient


def test_frames_follow_their_position_not_their_number_or_name(make_series):
    frames = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
    volume = read_volume(make_series(frames))
    np.testing.assert_array_equal(volume.array, frames)
    assert volume.array.dtype == np.uint16
    np.testing.assert_allclose(volume.spacing, (0.9, 0.6, 4.0))
    np.testing.assert_allclose(volume.affine[:3, 3], [30.0, -12.5, 40.25])


def test_slope_and_intercept_are_kept_for_each_slice(make_series):
    def edit(image, index):
        image.RescaleSlope, image.RescaleIntercept = f"{0.5 + index}", f"{-10 * index}"

    volume = read_volume(make_series(edit=edit))
    np.testing.assert_array_equal(volume.slope, [0.5, 1.5, 2.5])
    np.testing.assert_array_equal(volume.intercept, [0, -10, -20])


def test_padding_is_found_with_its_range_and_whichever_sign_it_was_written_with(make_series):
    frames = np.full((2, 4, 5), 100, np.int16)
    frames[0, 0], frames[1, 1] = -2000, -1990

    def edit(image, index):
        image.add_new("PixelPaddingValue", "US", 65536 - 2000)
        image.add_new("PixelPaddingRangeLimit", "SS", -1990)

    volume = read_volume(make_series(frames, edit=edit))
    np.testing.assert_array_equal([volume.without_image(index) for index in range(len(frames))], frames < 0)
    assert -2000 in volume.padding


def test_volume_without_padded_pixels_has_no_mask(make_series):
    assert read_volume(make_series()).padding is None


def test_files_of_other_kinds_are_passed_over(make_series, caplog):
    folder = make_series()
    nested = folder / "more" / "deep"
    nested.mkdir(parents=True)
    shutil.move(folder / "5-90", nested / "5-90")
    (folder / "notes.txt").write_text("DICM is not here")
    (folder / "thumbnail").touch()
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    with caplog.at_level(logging.INFO):
        assert read_volume(folder).array.shape == (3, 10, 12)
    assert "not being DICOM images: 2" in caplog.text


def cut(folder):
    path = folder / "5-90"
    path.write_bytes(path.read_bytes()[:400])
    return path


def cut_in_the_meta_information(folder):
    path = folder / "5-90"
    path.write_bytes(path.read_bytes()[:140])
    return path


def add_text(folder):
    path = folder / "bad.DCM"
    path.write_text("not an image")
    return path


@pytest.mark.parametrize("damage", [cut, cut_in_the_meta_information, add_text])
def test_a_damaged_slice_is_never_dropped(make_series, damage):
    folder = make_series()
    damaged = damage(folder)
    with pytest.raises(InputError, match=r"is damaged|does not begin as") as caught:
        read_volume(folder)
    assert str(damaged) in str(caught.value)
    damaged.unlink()
    assert len(read_volume(folder).array) >= 2


def test_dicom_without_an_image_is_passed_over(make_series):
    folder = make_series()
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = BasicTextSRStorage, "1.2.3"
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.save_as(folder / "report.dcm", enforce_file_format=True)
    assert len(read_volume(folder).array) == 3


def test_several_patients_in_one_series_are_warned_of_without_their_names(make_series, caplog):
    def edit(image, index):
        image.PatientID = f"secret-{index}"

    assert len(read_volume(make_series(edit=edit)).array) == 3
    assert "several PatientIDs" in caplog.text
    assert "secret" not in caplog.text


def test_exact_copies_are_passed_over_and_others_refused(make_series):
    folder = make_series()
    shutil.copy(folder / "5-90", folder / "copy")
    assert len(read_volume(folder).array) == 3
    make_series(np.zeros((1, 10, 12), np.uint16), bits=12, folder="other")
    shutil.copy(folder.parent / "other" / "5-90", folder / "copy")
    with pytest.raises(InputError, match="same SOPInstanceUID"):
        read_volume(folder)


def test_several_series_are_listed_and_chosen_by_uid(make_series):
    make_series(series=7)
    folder = make_series(np.ones((2, 6, 6), np.uint16), series=6)
    with pytest.raises(InputError, match="2 series"):
        read_volume(folder)
    listed = list_series(folder)
    assert [(len(series.paths), series.modality) for series in listed] == [(2, "MR"), (3, "MR")]
    assert read_volume(folder, series=listed[0].series_uid).array.shape == (2, 6, 6)
    assert [len(volume.array) for volume in read_series(folder)] == [2, 3]
    with pytest.raises(InputError, match="chosen series"):
        read_volume(folder, series="1.2.3")


def test_series_are_decoded_one_at_a_time(make_series):
    make_series(series=7, edit=turn)
    folder = make_series(series=6)
    volumes = read_series(folder)
    assert len(next(volumes).array) == 3
    with pytest.raises(InputError, match="orientation"):
        next(volumes)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [(turn, "orientation"), (spread, "spacing"), (widen, "pixel encoding"), (strip, "without a position")],
)
def test_series_that_is_no_stack_is_refused_without_its_values(make_series, edit, reason):
    folder = make_series(edit=edit)
    with pytest.raises(InputError, match=reason) as caught:
        read_volume(folder)
    assert str(folder) in str(caught.value)
    assert "Doe" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_sizes_are_not_mixed(make_series):
    make_series([np.zeros((8, 8), np.uint16)], folder="mixed")
    folder = make_series([np.zeros((8, 8), np.uint16), np.zeros((9, 8), np.uint16)], folder="mixed")
    with pytest.raises(InputError, match="sizes"):
        read_volume(folder)


def test_echoes_at_one_position_are_read_in_the_acquisition_s_order(make_series, caplog):
    def edit(image, index):
        image.ImagePositionPatient = [0, 0, 0]

    frames = np.arange(2 * 4 * 4, dtype=np.uint16).reshape(2, 4, 4)
    volume = read_volume(make_series(frames, edit=edit))
    np.testing.assert_array_equal(volume.array, frames[::-1])
    assert "position that another one has" in caplog.text
    assert abs(np.linalg.det(volume.affine)) > 0


def test_missing_slice_is_only_reported(make_series, caplog):
    folder = make_series(np.zeros((5, 4, 4), np.uint16))
    (folder / "5-88").unlink()
    assert len(read_volume(folder).array) == 4
    assert "uneven" in caplog.text


def test_image_without_geometry_gets_a_plain_one(make_series):
    def edit(image, index):
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            delattr(image, keyword)
        image.ImagerPixelSpacing = [0.2, 0.1]

    folder = make_series(np.zeros((1, 4, 4), np.uint16), edit=edit)
    volume = read_volume(folder / "5-90")
    np.testing.assert_allclose(volume.spacing, (0.2, 0.1, 3.0))


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(InputError, match="no DICOM image"):
        read_volume(tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("us_rgb.dcm", "single-channel"),
        ("us_palette_no_pixelspacing.dcm", "single-channel"),
        ("mr_siemens_mosaic.dcm", "MOSAIC"),
        ("mr_truncated.dcm", "truncated"),
        ("cr_hip_jpeg_lossy12.dcm", "12-bit lossy JPEG"),
        ("d2n_mixed_orientation", "orientation"),
        ("series_uih_t1_part.zip", "not DICOM"),
    ],
)
def test_real_files_that_cannot_be_served_say_why(data_dir, name, reason):
    with pytest.raises(InputError, match=reason):
        read_volume(data_dir / "dicom" / name)


@pytest.mark.parametrize(
    "name",
    ["d2n_rle", "d2n_jpegls", "d2n_j2k_lossless", "d2n_jpeg_lossless_sv1", "d2n_uncompressed_explicit"],
)
def test_real_compressed_series_are_read(data_dir, name):
    volume = read_volume(data_dir / "dicom" / name)
    assert volume.array.shape == (4, 256, 256)
    assert volume.array.max() > 0


def test_real_big_endian_image_is_read_as_native(data_dir):
    volume = read_volume(data_dir / "dicom" / "mr_big_endian.dcm")
    assert volume.array.dtype.isnative
    assert volume.array.max() == 891


def test_a_scan_tells_series_damaged_files_and_others_apart(make_series):
    folder = make_series()
    make_series(series=6)
    (folder / "notes.txt").write_text("mine")
    known, unknown = folder / "5-90", folder / "6-90"
    # Cut behind the UID of the series, and before it.
    known.write_bytes(known.read_bytes()[: known.read_bytes().index(b"\x28\x00\x02\x00")])
    unknown.write_bytes(unknown.read_bytes()[:400])
    scan = scan_folder(folder)
    assert [(series.series_uid[-2:], len(series.paths)) for series in scan.series] == [(".5", 3), (".6", 2)]
    assert list(scan.damaged) == [known, unknown]
    assert all(str(path) in reason for path, reason in scan.damaged.items())
    assert scan.others == [folder / "notes.txt"]
    with pytest.raises(InputError, match="5-90"):
        scan.series[0].read()


def test_damaged_meta_information_is_refused_without_its_values(make_series):
    path = make_series() / "5-90"
    path.write_bytes(path.read_bytes().replace(b"\x02\x00\x02\x00UI", b"\x02\x00\x02\x00Uu"))
    (reason,) = scan_folder(path.parent).damaged.values()
    assert reason == f"{path} is damaged DICOM; export it again"


def test_files_without_the_uid_of_a_series_belong_together_by_folder(make_series):
    def edit(image, index):
        del image.SeriesInstanceUID

    folder = make_series(edit=edit)
    (folder / "deep").mkdir()
    shutil.move(folder / "5-90", folder / "deep" / "5-90")
    assert [len(series.paths) for series in list_series(folder)] == [2, 1]


def test_a_folder_that_cannot_be_opened_is_refused(make_series, monkeypatch):
    folder = make_series()
    (folder / "locked").mkdir()
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"locked cannot be opened \(Permission denied\)"):
        list_series(folder)


def test_a_pipe_is_not_waited_for(make_series):
    folder = make_series()
    os.mkfifo(folder / "pipe")
    assert len(list_series(folder)[0].paths) == 3
