"""Intervals of what is no DICOM: NIfTI on the grid of the finer image."""

from __future__ import annotations

import dataclasses

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PIL import Image

from monai_sr.errors import InputError
from monai_sr.intervals import Intervals
from monai_sr.io import interval_path, read_intervals, read_volume, write_volume


def with_intervals(volume):
    """Half-widths that are the finer values themselves, so that both files must agree."""
    intervals = Intervals(0.9, "kspace")
    for index, frame in enumerate(volume.array):
        intervals.put(index, frame.astype(np.float32), np.zeros(frame.shape, bool))
    return dataclasses.replace(volume, intervals=intervals)


@pytest.mark.parametrize("frame_axis", [0, 1, 2])
def test_a_nifti_s_intervals_lie_on_its_own_grid(repeated, provenance, tmp_path, frame_axis):
    array = np.random.default_rng(0).integers(0, 999, (6, 8, 10), np.int16)
    affine = np.array([[0, 1.1, 0.2, 3], [-0.9, 0, 0, 4], [0, 0.1, 1.2, 5], [0, 0, 0, 1.0]])
    affine[:3, frame_axis] *= 5
    nib.save(nib.Nifti1Image(array, affine), tmp_path / "in.nii.gz")
    output = tmp_path / "out.nii.gz"
    finer = with_intervals(repeated(read_volume(tmp_path / "in.nii.gz")))
    write_volume(finer, output, provenance(), intervals=interval_path(output))
    image, interval = nib.load(output), nib.load(tmp_path / "out.interval.nii.gz")
    np.testing.assert_allclose(interval.affine, image.affine, atol=1e-6)
    for code in ("sform_code", "qform_code"):
        assert interval.header[code] == image.header[code]
    assert interval.get_data_dtype() == np.float32
    np.testing.assert_array_equal(interval.get_fdata(), image.get_fdata())
    again = read_volume(output)
    np.testing.assert_array_equal(read_intervals(again, interval_path(output)), again.array)
    interval_path(output).write_bytes(b"torn")
    with pytest.raises(InputError, match=r"out\.interval\.nii\.gz holds no intervals"):
        read_intervals(again, interval_path(output))


def test_a_metaimage_s_intervals_lie_where_it_does(repeated, provenance, tmp_path):
    array = np.random.default_rng(0).integers(0, 999, (4, 8, 10), np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.5, 0.7, 4.0))
    image.SetOrigin((-10.0, 20.0, 30.0))
    sitk.WriteImage(image, str(tmp_path / "in.mha"))
    output = tmp_path / "out.mha"
    finer = with_intervals(repeated(read_volume(tmp_path / "in.mha")))
    write_volume(finer, output, provenance(), intervals=interval_path(output))
    image, interval = (sitk.ReadImage(str(path)) for path in (output, tmp_path / "out.mha.interval.nii.gz"))
    np.testing.assert_allclose(interval.GetOrigin(), image.GetOrigin(), atol=1e-5)
    np.testing.assert_allclose(interval.GetSpacing(), image.GetSpacing(), atol=1e-5)
    np.testing.assert_allclose(interval.GetDirection(), image.GetDirection(), atol=1e-6)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(interval), sitk.GetArrayFromImage(image))
    again = read_volume(output)
    np.testing.assert_array_equal(read_intervals(again, interval_path(output)), again.array)


def test_a_picture_s_intervals_are_its_pixels(repeated, provenance, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    output = tmp_path / "out.png"
    finer = with_intervals(repeated(read_volume(tmp_path / "in.png")))
    write_volume(finer, output, provenance(), intervals=interval_path(output))
    interval = nib.load(tmp_path / "out.png.interval.nii.gz")
    np.testing.assert_array_equal(interval.get_fdata()[..., 0], np.asarray(Image.open(output)))


def test_an_output_that_is_there_is_kept(repeated, provenance, tmp_path):
    Image.fromarray(np.arange(54, dtype=np.uint8).reshape(6, 9)).save(tmp_path / "in.png")
    finer = with_intervals(repeated(read_volume(tmp_path / "in.png")))
    taken = interval_path(tmp_path / "out.png")
    taken.write_bytes(b"mine")
    with pytest.raises(InputError, match=r"out\.png\.interval\.nii\.gz exists"):
        write_volume(finer, tmp_path / "out.png", provenance(), intervals=taken)
    assert taken.read_bytes() == b"mine"
    assert not (tmp_path / "out.png").exists()
