"""Small images for a server, and whether one is a finer other."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

SECRET = "what nobody may read"
PATIENT = "Doe^Jane"


def smooth(shape: tuple[int, ...], dtype: type, largest: float) -> np.ndarray:
    """Random hills: what every interpolation gives nearly alike."""
    hills = gaussian_filter(np.random.default_rng(0).random(shape), (0,) * (len(shape) - 2) + (4, 4))
    return ((hills - hills.min()) / np.ptp(hills) * largest).astype(dtype)


def write_nifti(path: Path, dtype: type = np.int16) -> Path:
    """Oblique, anisotropic, 2 slices."""
    angle = np.deg2rad(20)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn * (0.8, 0.5, 4.0)
    affine[:3, 3] = (-31.0, 12.5, 7.0)
    nib.save(
        nib.Nifti1Image(
            smooth((2, 104, 96), dtype, 250 if dtype == np.uint8 else 3000).transpose(2, 1, 0), affine
        ),
        path,
    )
    return path


def write_picture(path: Path, dtype: type = np.uint16) -> Path:
    Image.fromarray(smooth((100, 96), dtype, np.iinfo(dtype).max)).save(path)
    return path


def read(path: Path) -> sitk.Image:
    """By an independent reader."""
    if path.is_dir():
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
        return reader.Execute()
    return sitk.ReadImage(str(path))


def assert_finer(source: Path, result: Path, scale: int) -> None:
    """Same field of view and type, `scale` times the size, and the same picture."""
    coarse, fine = read(source), read(result)
    across = np.array([scale, scale, 1][: coarse.GetDimension()])
    if coarse.GetDimension() == 2 and fine.GetDimension() == 3:
        coarse, across = sitk.JoinSeries(coarse), np.array([scale, scale, 1])
    np.testing.assert_array_equal(fine.GetSize(), np.array(coarse.GetSize()) * across)
    assert fine.GetPixelIDTypeAsString() == coarse.GetPixelIDTypeAsString()
    for corner in [] if source.suffix == ".png" else np.ndindex(2, 2, 2):  # a picture has no place
        places = [
            image.TransformContinuousIndexToPhysicalPoint(
                [side * size - 0.5 for side, size in zip(corner, image.GetSize(), strict=True)]
            )
            for image in (coarse, fine)
        ]
        np.testing.assert_allclose(*places, atol=1e-3)
    low, high = sitk.GetArrayFromImage(coarse).astype(float), sitk.GetArrayFromImage(fine).astype(float)
    cubic = zoom(low, across[::-1], order=3, mode="nearest", grid_mode=True)
    assert np.corrcoef(cubic.ravel(), high.ravel())[0, 1] > 0.95
