import dataclasses

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_sr.errors import InputError
from monai_sr.io import read_volume
from monai_sr.io.slices import slice_thickness
from tests.io.conftest import ds


def test_the_header_tells_the_thickness_and_nifti_nothing(make_series, tmp_path):
    assert slice_thickness(read_volume(make_series())) == 3.0
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), tmp_path / "a.nii")
    assert slice_thickness(read_volume(tmp_path / "a.nii")) is None

    def forget(image, index):
        del image.SliceThickness

    assert slice_thickness(read_volume(make_series(series=6, folder="no thickness", edit=forget))) is None


def edits():
    def shift(image, index):
        normal = np.cross(image.ImageOrientationPatient[:3], image.ImageOrientationPatient[3:])
        image.ImagePositionPatient = ds(image.ImagePositionPatient + 0.3 * index**2 * normal)

    def thicken(image, index):
        image.SliceThickness = str(3 + index)

    def displace(image, index):
        along = np.array(image.ImageOrientationPatient[:3], float)
        image.ImagePositionPatient = ds(image.ImagePositionPatient + index * along)

    def lose(image, index):
        del image.ImagePositionPatient
        del image.ImageOrientationPatient

    return {
        "uneven steps between slices": shift,
        "several thicknesses": thicken,
        "shifted against each other": displace,
        "where its slices lie": lose,
    }


@pytest.mark.parametrize("said", list(edits()))
def test_irregular_stacks_are_refused(make_series, said):
    with pytest.raises(InputError, match=said):
        slice_thickness(read_volume(make_series(edit=edits()[said])))


def test_what_are_no_mr_slices_is_refused(make_series, make_multi_frame, tmp_path):
    frames = np.zeros((3, 8, 8), np.uint16)
    for volume in (
        read_volume(make_series(frames, modality="CT", bits=12)),
        read_volume(make_multi_frame(frames)),
    ):
        with pytest.raises(InputError, match="no series of single-frame MR images"):
            slice_thickness(volume)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="picture in a plane"):
        slice_thickness(read_volume(tmp_path / "a.png"))


def test_shifted_slices_of_nifti_are_refused(tmp_path):
    affine = np.diag([1.0, 1.0, 4.0, 1.0])
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 3), np.int16), affine), tmp_path / "upright.nii")
    assert slice_thickness(read_volume(tmp_path / "upright.nii")) is None
    affine[0, 2] = 0.9
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 3), np.int16), affine), tmp_path / "sheared.nii")
    with pytest.raises(InputError, match="shifted against each other"):
        slice_thickness(read_volume(tmp_path / "sheared.nii"))


def test_a_modality_that_is_not_mr_is_refused(make_series):
    def rename(image, index):
        image.Modality = "CT"

    with pytest.raises(InputError, match="no series of single-frame MR images"):
        slice_thickness(read_volume(make_series(edit=rename)))


def test_one_slice_is_refused(make_series):
    volume = read_volume(make_series())
    one = dataclasses.replace(
        volume, array=volume.array[:1], slope=volume.slope[:1], intercept=volume.intercept[:1]
    )
    with pytest.raises(InputError, match="one slice"):
        slice_thickness(one)
