from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose, LoadImage, LoadImaged

from monai_sr import read_volume
from monai_sr.data import VolumeReader
from monai_sr.errors import InputError
from monai_sr.sample import sample_dataset_dir, sample_series_dir


@pytest.fixture
def nifti(tmp_path):
    """A volume of 4 axial frames of 6 x 5 with a scale of its own."""
    stored = np.random.default_rng(0).integers(-500, 500, (6, 5, 4), np.int16)
    image = nib.Nifti1Image(
        stored, np.array([[0.7, 0, 0, -9], [0, 0.8, 0.1, 3], [0, 0, 4, 20], [0, 0, 0, 1.0]])
    )
    image.header.set_slope_inter(0.5, -10)
    nib.save(image, tmp_path / "image.nii.gz")
    return tmp_path / "image.nii.gz"


def world_points(affine, shape):
    voxels = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1).reshape(-1, 3)
    return voxels @ np.asarray(affine)[:3, :3].T + np.asarray(affine)[:3, 3]


def test_nifti_comes_in_real_values_in_their_place(nifti):
    loaded = LoadImage(reader=VolumeReader(), ensure_channel_first=True)(nifti)
    expected = nib.load(nifti)
    assert loaded.shape[0] == 1
    # The axes may be in another order: the same value has to lie at the same point.
    found = np.column_stack([world_points(loaded.affine, loaded.shape[1:]), loaded[0].numpy().ravel()])
    wanted = np.column_stack([world_points(expected.affine, expected.shape), expected.get_fdata().ravel()])
    found, wanted = (rows.round(3)[np.lexsort(rows.round(3).T)] for rows in (found, wanted))
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_a_series_comes_as_read_volume_gives_it():
    volume = read_volume(sample_series_dir())
    loaded = LoadImage(reader=VolumeReader(), ensure_channel_first=True)(str(sample_series_dir()))
    assert loaded.dtype.is_floating_point
    assert loaded.shape == (1, *volume.array.shape[1:], len(volume.array))
    real = volume.array * volume.slope[:, None, None] + volume.intercept[:, None, None]
    np.testing.assert_allclose(np.moveaxis(loaded[0].numpy(), -1, 0), real)
    np.testing.assert_allclose(loaded.affine.numpy(), volume.affine)
    np.testing.assert_allclose(loaded.pixdim.numpy(), volume.spacing, rtol=1e-6)


def test_a_bundle_s_pipeline_uses_it_and_names_the_file(nifti):
    load = Compose([LoadImaged("label", reader=VolumeReader, ensure_channel_first=True)])
    loaded = load({"label": str(nifti)})["label"]
    assert loaded.meta["filename_or_obj"] == str(nifti)


def test_several_paths_or_unknown_arguments_are_refused(nifti):
    with pytest.raises(ValueError, match="got 2"):
        LoadImage(reader=VolumeReader())([nifti, nifti])
    with pytest.raises(ValueError, match="mmap"):
        VolumeReader().read(nifti, mmap=True)


def test_no_other_reader_is_tried_on_what_is_refused(tmp_path):
    for file in [
        next(sample_series_dir().iterdir()),
        sample_dataset_dir() / "dicom" / "mr_small" / "MR_small.dcm",
    ]:
        shutil.copy(file, tmp_path)
    with pytest.raises(InputError, match="2 series"):
        LoadImage(reader=VolumeReader())(str(tmp_path))
