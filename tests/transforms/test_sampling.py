from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_sr.degradation import gaussian_blur
from monai_sr.transforms import BicubicDownsample, DetectorBinning, KSpaceTruncate, OCTSampling

SCALES = [2, 3, 4, 8]
DEGRADATIONS = {
    "bicubic": BicubicDownsample,
    "bicubic blurred": lambda scale: BicubicDownsample(scale, blur_sigma=0.8),
    "k-space": KSpaceTruncate,
    "k-space half apodized": lambda scale: KSpaceTruncate(scale, apodization=0.5),
    "k-space apodized": lambda scale: KSpaceTruncate(scale, apodization=1.0),
    "binning": DetectorBinning,
    "binning blurred": lambda scale: DetectorBinning(scale, blur_sigma=0.8),
    "oct": OCTSampling,
    "oct wide beam": lambda scale: OCTSampling(scale, spot_sigma=1.2),
    "oct narrow beam": lambda scale: OCTSampling(scale, spot_sigma=0.5),
}


def shift(degradation, scale_factor):
    """How far a degradation moves a smooth blob, in high-resolution pixels: (down, right).

    The blob lies off the middle, well inside the field. Its centre of mass is taken in millimetres of a field
    of view that both grids share, pixel i of n having its centre at (i + 0.5) / n.
    """
    size = 48 * scale_factor
    center = (0.44 * size, 0.57 * size)
    position = torch.arange(size, dtype=torch.float64) + 0.5
    down, right = (torch.exp(-0.5 * ((position - c) / (2.5 * scale_factor)) ** 2) for c in center)
    low = degradation((down[:, None] * right)[None].float())[0].double()
    coarse = (torch.arange(48, dtype=torch.float64) + 0.5) * scale_factor
    found = (low.sum(1) @ coarse / low.sum(), low.sum(0) @ coarse / low.sum())
    return [float(f - c) for f, c in zip(found, center, strict=True)]


@pytest.mark.parametrize("scale_factor", SCALES)
@pytest.mark.parametrize("name", DEGRADATIONS)
def test_nothing_moves(name, scale_factor):
    moved = shift(DEGRADATIONS[name](scale_factor), scale_factor)
    assert moved == pytest.approx([0, 0], abs=0.01)


@pytest.mark.parametrize("scale_factor", SCALES)
def test_a_degradation_that_moves_the_field_of_view_is_caught(scale_factor):
    def blur_and_stride(img):
        return gaussian_blur(img, 1.0)[:, ::scale_factor, ::scale_factor]

    # Each kept pixel stands for its group's first pixel, so the image seems further on by half a group.
    expected = (scale_factor - 1) / 2
    assert shift(blur_and_stride, scale_factor) == pytest.approx([expected, expected], abs=0.01)


@pytest.mark.parametrize("scale_factor", SCALES)
@pytest.mark.parametrize("name", DEGRADATIONS)
def test_the_mean_intensity_stays(name, scale_factor):
    degradation = DEGRADATIONS[name](scale_factor)
    size = (5 * scale_factor, 6 * scale_factor)
    flat = degradation(torch.full((1, *size), 0.7))
    torch.testing.assert_close(flat, torch.full((1, 5, 6), 0.7))
    field = torch.zeros(1, 40 * scale_factor, 40 * scale_factor)
    field[:, 15 * scale_factor : 25 * scale_factor, 15 * scale_factor : 25 * scale_factor] = 1
    assert degradation(field).mean().item() == pytest.approx(field.mean().item(), rel=2e-3)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_type_and_channels_go_through(name):
    degradation = DEGRADATIONS[name](2)
    array = np.random.default_rng(0).random((2, 10, 14))
    low = degradation(array)
    assert isinstance(low, np.ndarray)
    assert (low.dtype, low.shape) == (np.float32, (2, 5, 7))
    from_tensor = degradation(torch.from_numpy(array))
    assert type(from_tensor) is torch.Tensor
    np.testing.assert_array_equal(from_tensor.numpy(), low)
    affine = torch.diag(torch.tensor([0.5, 0.5, 3.0, 1.0], dtype=torch.float64))
    from_meta = degradation(MetaTensor(array, affine=affine))
    assert isinstance(from_meta, MetaTensor)
    np.testing.assert_array_equal(from_meta.numpy(), low)
    np.testing.assert_array_equal(degradation(array[1:])[0], low[1])


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_size_that_is_no_multiple_is_refused(name):
    with pytest.raises(ValueError, match="12 x 13 is not a multiple of scale_factor 4"):
        DEGRADATIONS[name](4)(np.zeros((1, 12, 13)))


@pytest.mark.parametrize(
    ("size", "scale_factor"), [((12, 16), 2), ((15, 9), 3), ((16, 24), 4), ((14, 10), 2)]
)
@pytest.mark.parametrize("apodization", [0.0, 0.6])
def test_k_space_truncation_is_the_fourier_series_at_the_coarse_pixels_centres(
    size, scale_factor, apodization
):
    image = np.random.default_rng(0).random(size)
    expected = image
    for n in size:  # one axis, then the other
        kept = n // scale_factor
        orders = np.arange(-(kept // 2), kept - kept // 2)
        coefficients = [
            (expected * np.exp(-2j * np.pi * k * np.arange(n) / n)[:, None]).sum(0) / n for k in orders
        ]
        weights = 1 - apodization * np.sin(np.pi * orders / kept) ** 2
        centers = (np.arange(kept) + 0.5) * scale_factor - 0.5  # in fine pixels
        waves = np.exp(2j * np.pi * np.outer(centers, orders) / n)
        expected = (waves @ (weights[:, None] * np.array(coefficients))).real.T
    low = KSpaceTruncate(scale_factor, apodization)(image[None])[0]
    np.testing.assert_allclose(low, expected, atol=1e-5)


@pytest.mark.parametrize("scale_factor", [2, 3, 4])
def test_binning_averages_blocks(scale_factor):
    image = np.random.default_rng(0).random((1, 4 * scale_factor, 5 * scale_factor))
    blocks = image.reshape(1, 4, scale_factor, 5, scale_factor)
    np.testing.assert_allclose(DetectorBinning(scale_factor)(image), blocks.mean((2, 4)), rtol=1e-5)


def test_the_oct_axes_differ():
    rows = torch.zeros(1, 32, 32)
    rows[:, 16] = 1
    depth, across = OCTSampling(2)(rows), OCTSampling(2)(rows.transpose(1, 2)).transpose(1, 2)
    assert depth.min() < -0.001  # a cut spectrum rings
    assert across.min() == 0  # a beam does not


def test_blur_is_a_gaussian_average_and_none_without_width():
    point = torch.zeros(1, 41, 41)
    point[0, 20, 20] = 1
    assert gaussian_blur(point, 0) is point
    profile = gaussian_blur(point, 2.0)[0].sum(1)
    offset = torch.arange(41.0) - 20
    assert profile.sum().item() == pytest.approx(1, abs=1e-5)
    # Cutting at three standard deviations narrows it a little.
    assert math.sqrt((profile * offset**2).sum()) == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize(
    ("degradation", "arguments", "name"),
    [
        (BicubicDownsample, {"scale_factor": 1}, "scale_factor"),
        (DetectorBinning, {"scale_factor": 0}, "scale_factor"),
        (BicubicDownsample, {"scale_factor": 2, "blur_sigma": -0.1}, "blur_sigma"),
        (DetectorBinning, {"scale_factor": 2, "blur_sigma": -0.1}, "blur_sigma"),
        (KSpaceTruncate, {"scale_factor": 2, "apodization": 1.1}, "apodization"),
        (OCTSampling, {"scale_factor": 2, "spot_sigma": 0.0}, "spot_sigma"),
    ],
)
def test_wrong_arguments_are_named(degradation, arguments, name):
    with pytest.raises(ValueError, match=name):
        degradation(**arguments)
