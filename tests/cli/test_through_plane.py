"""`upscale --through-plane`."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from monai_sr.io import read_volume
from monai_sr.sample import sample_dataset_dir, sample_series_dir
from tests.cli.commands import invoke


@pytest.fixture
def thick(tmp_path):
    """Path of a NIfTI file of slices 3 mm apart, made of the sample."""
    image = nibabel.load(sample_dataset_dir() / "nifti" / "mni152_test.nii.gz")
    stored = np.asarray(image.dataobj)[40:88, 60:108]
    low = stored.reshape(48, 48, 4, 3).mean(3).round().astype(np.int16)
    affine = image.affine @ np.diag([1, 1, 3, 1])
    nibabel.save(nibabel.Nifti1Image(low, affine), tmp_path / "thick.nii.gz")
    return tmp_path / "thick.nii.gz"


def test_nifti_becomes_isotropic(thick, tmp_path):
    result = invoke("upscale", thick, tmp_path / "thin.nii.gz", "--through-plane")
    assert result.exit_code == 0, result.output
    assert "12 slices 1 mm apart" in result.output
    assert "box slice profile" in result.output
    image = nibabel.load(tmp_path / "thin.nii.gz")
    assert image.shape == (48, 48, 12)
    np.testing.assert_allclose(image.header.get_zooms(), 1)
    assert image.get_data_dtype() == np.int16


def test_a_dicom_series_gets_more_slices(tmp_path):
    folder = tmp_path / "thick"
    folder.mkdir()
    for number, path in enumerate(sorted(sample_series_dir().iterdir())[::3]):
        image = dcmread(path)
        image.PixelData = image.pixel_array[60:108, 60:100].tobytes()
        image.Rows, image.Columns = 48, 40
        image.SliceThickness = "3"
        image.save_as(folder / f"{number}.dcm")
    result = invoke("upscale", folder, tmp_path / "thin", "--through-plane", "--transfer-syntax", "rle")
    assert result.exit_code == 0, result.output
    volume = read_volume(tmp_path / "thin")
    assert volume.array.shape == (12, 48, 40)
    assert volume.spacing == pytest.approx((1, 1, 1), rel=1e-4)


def test_the_slice_factor_and_the_profile_are_taken(thick, tmp_path):
    outputs = []
    for profile in ("box", "gaussian"):
        out = tmp_path / f"{profile}.nii.gz"
        result = invoke(
            "upscale", thick, out, "--through-plane", "--slice-factor", 2, "--slice-profile", profile
        )
        assert result.exit_code == 0, result.output
        outputs.append(np.asarray(nibabel.load(out).dataobj))
    assert outputs[0].shape == (48, 48, 8)
    assert not np.array_equal(*outputs)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--through-plane", "--alpha", "0.5"], "--alpha does not go with --through-plane"),
        (["--through-plane", "-s", "2"], "--scale-factor does not go with"),
        (["--through-plane", "--recursive"], "--recursive does not go with"),
        (["--self-supervised"], "add --through-plane"),
        (["--slice-factor", "3"], "add --through-plane"),
        (["--through-plane", "--slice-profile", "round"], "use box or gaussian"),
        (["--through-plane", "--memory", "1G"], "give more --memory"),
        (["--through-plane", "--slice-factor", "30"], "would get 30 slices for each"),
    ],
)
def test_what_does_not_go_together_is_refused(thick, tmp_path, options, said):
    result = invoke("upscale", thick, tmp_path / "thin.nii.gz", *options)
    assert said in str(result.exception)
    assert result.exception.exit_code == 2
    assert not (tmp_path / "thin.nii.gz").exists()


def test_what_has_no_slices_between_is_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    for source, said in (
        (tmp_path / "a.png", "picture in a plane"),
        (sample_dataset_dir() / "nifti" / "mni152_test.nii.gz", "nothing to find between"),
        (sorted(sample_series_dir().iterdir())[0], "one slice"),
        ("dicomweb://localhost:1/studies/1.2", "fetch the series"),
    ):
        result = invoke("upscale", source, tmp_path / "out", "--through-plane")
        assert said in str(result.exception)
        assert result.exception.exit_code == 2
    assert not (tmp_path / "out").exists()
