"""A phantom whose intensity is linear in world coordinates shows where each written pixel really lies."""

import dataclasses
import shutil

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom import dcmread
from pydicom.valuerep import DSfloat
from skimage.registration import phase_cross_correlation

from monai_sr import Upscaler
from monai_sr.geometry import scale_affine
from monai_sr.io import read_volume, write_volume

PER_MM = 200.0
ROWS, COLUMNS, FRAMES = 48, 64, 3
GATE = 0.01  # mm
DIRECTIONS = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.6, -0.7, 0.39)]


def coordinates(affine, shape):
    """World position of each voxel (row, column, frame), shape [n, rows, columns, 3]."""
    frames, rows, columns = np.indices(shape)
    voxels = np.stack([rows, columns, frames, np.ones(shape)], axis=-1)
    return (voxels @ affine.T)[..., :3]


def phantom(affine, direction, shape=(FRAMES, ROWS, COLUMNS)):
    return np.round(32000 + PER_MM * (coordinates(affine, shape) @ direction)).astype(np.uint16)


def interpolate(array, axis, scale_factor):
    """Linear interpolation over the same field of view, continued beyond the outer centres."""
    length = array.shape[axis]
    position = (np.arange(length * scale_factor) + 0.5) / scale_factor - 0.5
    left = np.clip(np.floor(position).astype(int), 0, length - 2)
    weight = (position - left).reshape([-1 if other == axis else 1 for other in range(3)])
    return (1 - weight) * array.take(left, axis) + weight * array.take(left + 1, axis)


def upscale(volume, scale_factor):
    finer = interpolate(interpolate(volume.array.astype(float), 1, scale_factor), 2, scale_factor)
    return dataclasses.replace(
        volume,
        array=np.round(finer).astype(volume.array.dtype),
        affine=scale_affine(volume.affine, scale_factor),
    )


def rms_error(array, positions, direction):
    """Distance in mm between where pixels say they lie and where a reader puts them."""
    errors = (array.astype(float) - 32000) / PER_MM - positions @ direction
    return np.sqrt(np.mean(errors**2)) / np.linalg.norm(direction)


def itk_positions(image):
    columns, rows, frames = image.GetSize()
    lps = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    indices = np.indices((frames, rows, columns))[::-1]
    return np.moveaxis(np.tensordot(lps, indices, 1), 0, -1) + image.GetOrigin()


def read_with_itk(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


@pytest.fixture
def source(make_series):
    """Function from a direction to a DICOM series whose intensity rises along it."""

    def make(direction):
        affine = read_volume(make_series(np.zeros((FRAMES, ROWS, COLUMNS), np.uint16))).affine
        return make_series(phantom(affine, direction))

    return make


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("scale_factor", [2, 4])
def test_dicom_pixels_lie_where_they_say(source, provenance, tmp_path, direction, scale_factor):
    volume = upscale(read_volume(source(direction)), scale_factor)
    write_volume(volume, tmp_path / "out", provenance(scale_factor))
    image = read_with_itk(tmp_path / "out")
    ras = itk_positions(image) * [-1, -1, 1]
    assert rms_error(sitk.GetArrayFromImage(image), ras, direction) < GATE


@pytest.mark.parametrize("scale_factor", [2, 4])
def test_a_real_oblique_series_does_not_move(data_dir, tmp_path, scale_factor):
    """By SimpleITK alone: blocks of finer pixels, put onto the source's grid, lie where the source does."""
    (tmp_path / "source").mkdir()
    for file in sorted((data_dir / "dicom" / "series_ge_pd_oblique").iterdir())[:3]:
        shutil.copy(file, tmp_path / "source")
    upscaler = Upscaler.from_bundle("edsr_mri", scale_factor)
    finer = upscaler.stream(read_volume(tmp_path / "source"))
    write_volume(finer, tmp_path / "out", upscaler.provenance)
    source, derived = (read_with_itk(tmp_path / name) for name in ("source", "out"))
    coarse = sitk.BinShrink(sitk.Cast(derived, sitk.sitkFloat32), [scale_factor, scale_factor, 1])
    again = sitk.Resample(coarse, source, sitk.Transform(), sitk.sitkBSpline)
    for before, after in zip(*map(sitk.GetArrayFromImage, (source, again)), strict=True):
        shift = phase_cross_correlation(before, after, upsample_factor=200, normalization=None)[0]
        assert np.abs(shift).max() < 0.02


def frame_positions(image, number):
    """LPS position of each pixel of a frame, by the functional groups."""
    own, shared = image.PerFrameFunctionalGroupsSequence[number], image.SharedFunctionalGroupsSequence[0]
    first = np.array(own.PlanePositionSequence[0].ImagePositionPatient, float)
    along_row, along_column = np.array(
        shared.PlaneOrientationSequence[0].ImageOrientationPatient, float
    ).reshape(2, 3)
    between_rows, between_columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    row, column = np.indices((image.Rows, image.Columns))
    return (
        first + row[..., None] * between_rows * along_column + column[..., None] * between_columns * along_row
    )


@pytest.mark.parametrize("kind", ["enhanced MR", "enhanced CT", "OPT"])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("scale_factor", [2, 4])
def test_pixels_of_many_frames_lie_where_they_say(
    make_multi_frame, provenance, tmp_path, kind, direction, scale_factor
):
    affine = read_volume(make_multi_frame(np.zeros((FRAMES, ROWS, COLUMNS), np.uint16), kind)).affine
    file = make_multi_frame(phantom(affine, direction), kind)
    write_volume(upscale(read_volume(file), scale_factor), tmp_path / "out", provenance(scale_factor))
    image = dcmread(tmp_path / "out" / "00001.dcm")
    ras = np.stack([frame_positions(image, number) for number in range(FRAMES)]) * [-1, -1, 1]
    assert rms_error(image.pixel_array, ras, direction) < GATE


def test_gate_sees_a_missing_shift(source, provenance, tmp_path):
    direction = DIRECTIONS[1]
    volume = read_volume(source(direction))
    write_volume(upscale(volume, 2), tmp_path / "out", provenance())
    for file, instance in zip(sorted((tmp_path / "out").iterdir()), volume.source.instances, strict=True):
        image = dcmread(file)
        image.ImagePositionPatient = [
            DSfloat(value, auto_format=True) for value in instance.frames[0].plane.position
        ]
        image.save_as(file)
    image = read_with_itk(tmp_path / "out")
    assert rms_error(sitk.GetArrayFromImage(image), itk_positions(image) * [-1, -1, 1], direction) > 10 * GATE


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("scale_factor", [2, 4])
def test_nifti_voxels_lie_where_they_say(source, provenance, tmp_path, direction, scale_factor):
    # A file's axes in any order: here the frames come first and rows and columns are swapped.
    stack = read_volume(source(direction))
    image = nib.Nifti1Image(stack.array.transpose(0, 2, 1), stack.affine[:, [2, 1, 0, 3]])
    image.set_qform(image.affine, 1)
    nib.save(image, tmp_path / "in.nii.gz")

    volume = upscale(read_volume(tmp_path / "in.nii.gz"), scale_factor)
    write_volume(volume, tmp_path / "out.nii.gz", provenance(scale_factor))
    again = nib.load(tmp_path / "out.nii.gz")
    assert again.shape == (FRAMES, COLUMNS * scale_factor, ROWS * scale_factor)
    for affine in (again.get_sform(), again.get_qform()):
        positions = nib.affines.apply_affine(affine, np.moveaxis(np.indices(again.shape), 0, -1))
        assert rms_error(np.asarray(again.dataobj), positions, direction) < GATE
    itk = sitk.ReadImage(str(tmp_path / "out.nii.gz"))
    assert rms_error(sitk.GetArrayFromImage(itk), itk_positions(itk) * [-1, -1, 1], direction) < GATE


@pytest.mark.parametrize("scale_factor", [2, 3, 4])
def test_nearest_neighbour_keeps_the_position_of_every_pixel(
    make_series, repeated, provenance, tmp_path, scale_factor
):
    frames = np.arange(2 * 6 * 5, dtype=np.uint16).reshape(2, 6, 5)
    volume = read_volume(make_series(frames))
    write_volume(repeated(volume, scale_factor), tmp_path / "out", provenance(scale_factor))
    image = read_with_itk(tmp_path / "out")
    finer, positions = sitk.GetArrayFromImage(image), itk_positions(image) * [-1, -1, 1]
    centres = coordinates(volume.affine, frames.shape)
    for value, centre in zip(frames.ravel(), centres.reshape(-1, 3), strict=True):
        # The mean position of the finer pixels that repeat one pixel is that pixel's own.
        np.testing.assert_allclose(positions[finer == value].mean(axis=0), centre, atol=1e-6)
