from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_sr.intensity import IntensityRange
from monai_sr.transforms import GrayscaleToImageNet, RestoreIntensity, RobustNormalize


def image():
    return np.random.default_rng(0).normal(300, 80, (1, 30, 40))


def test_the_percentiles_become_0_and_1_and_nothing_is_clipped():
    normalized = RobustNormalize(10, 80)(image())
    assert np.percentile(normalized, [10, 80]) == pytest.approx([0, 1], abs=1e-6)
    assert normalized.min() < -0.1
    assert normalized.max() > 1.1
    np.testing.assert_array_equal(np.argsort(normalized, None), np.argsort(image(), None))


def test_a_few_extreme_pixels_do_not_move_the_range():
    spiked = image()
    spiked[0, 0, 0] = 1e6
    assert RobustNormalize(1, 99).range_of(spiked).upper == pytest.approx(
        RobustNormalize(1, 99).range_of(image()).upper, rel=0.01
    )


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, MetaTensor])
def test_type_goes_through_both_ways(kind):
    transform = RobustNormalize()
    original = kind(image())
    normalized = transform(original)
    assert type(normalized) is type(original)
    assert np.asarray(normalized).dtype == np.float32
    restored = RestoreIntensity(transform.range_of(original))(normalized)
    assert type(restored) is type(original)
    assert np.asarray(restored).dtype == np.float64
    np.testing.assert_allclose(np.asarray(restored), image(), rtol=1e-6)


def test_restoring_does_not_round():
    assert RestoreIntensity(IntensityRange(0, 10))(np.array([0.123])).item() == pytest.approx(1.23)


def test_grayscale_becomes_imagenet_s_statistics():
    gray = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 3, 4)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (gray - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(GrayscaleToImageNet()(gray), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        GrayscaleToImageNet()(torch.from_numpy(gray)).numpy(), expected, rtol=1e-5, atol=1e-6
    )


def test_colour_is_no_grayscale():
    with pytest.raises(ValueError, match="one channel, got 3"):
        GrayscaleToImageNet()(np.zeros((3, 4, 4)))
