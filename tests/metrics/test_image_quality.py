from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from monai_sr.metrics import image_quality
from monai_sr.metrics.image_quality import METRICS, MS_SSIM_MIN_SIZE


def images(shape, brightness=1.0):
    target = gaussian_filter(np.random.default_rng(0).random(shape), 2)
    target = (target - target.min()) / np.ptp(target) * brightness
    return gaussian_filter(target, 1.5), target


@pytest.mark.parametrize("shape", [(64, 64), (50, 93)])
@pytest.mark.parametrize("brightness", [1.0, 0.2])
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_agrees_with_scikit_image(shape, brightness, offset):
    pred, target = (values / 2 + offset for values in images(shape, brightness))
    scores = image_quality(torch.from_numpy(pred), torch.from_numpy(target), scale_factor=2)
    ssim = structural_similarity(
        target, pred, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert scores["ssim"] == pytest.approx(ssim, abs=1e-4)
    assert scores["psnr"] == pytest.approx(peak_signal_noise_ratio(target, pred, data_range=1), abs=1e-6)


def test_psnr_takes_the_range_and_not_the_maximum():
    target = torch.full((32, 32), 0.2)
    scores = image_quality(target + 0.01, target, scale_factor=2)
    assert scores["psnr"] == pytest.approx(40, abs=1e-3)


def test_psnr_of_identical_images_is_capped():
    image = torch.rand(32, 32)
    assert image_quality(image, image, scale_factor=2)["psnr"] == 100


def test_ms_ssim_needs_a_large_image():
    size = MS_SSIM_MIN_SIZE
    pred, target = (torch.from_numpy(values) for values in images((size, size)))
    assert 0.5 < image_quality(pred, target, 2)["ms_ssim"] < 1
    assert image_quality(target, target, 2)["ms_ssim"] == pytest.approx(1)
    assert math.isnan(image_quality(pred[1:], target[1:], 2)["ms_ssim"])


def test_every_metric_is_there():
    pred, target = (torch.from_numpy(values) for values in images((32, 32)))
    assert image_quality(pred, target, 4).keys() == METRICS.keys()


@pytest.mark.parametrize(
    ("pred", "target", "scale_factor", "message"),
    [
        ((32, 32), (32, 30), 2, "target"),
        ((1, 32, 32), (1, 32, 32), 2, "H, W"),
        ((15, 32), (15, 32), 2, "at least 16"),
        ((32, 32), (32, 32), 0, "scale_factor"),
    ],
)
def test_wrong_arguments_are_named(pred, target, scale_factor, message):
    with pytest.raises(ValueError, match=message):
        image_quality(torch.zeros(pred), torch.zeros(target), scale_factor)
