from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_sr.transforms import PoissonGaussianNoise, RicianNoise, SpeckleNoise

NOISES = {
    "rician": lambda seed: RicianNoise(0.1, seed),
    "poisson": lambda seed: PoissonGaussianNoise(100, 0.05, seed),
    "speckle": lambda seed: SpeckleNoise(4, seed),
}


def flat(value):
    return np.full((1, 300, 300), value, np.float32)


def test_rician_noise_has_the_moments_of_its_distribution():
    background = RicianNoise(0.1)(flat(0.0))
    # Rayleigh where there is no signal.
    assert background.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.01)
    assert background.std() == pytest.approx(0.1 * np.sqrt(2 - np.pi / 2), rel=0.01)
    signal = RicianNoise(0.1)(flat(0.8))
    assert (signal.astype(float) ** 2).mean() == pytest.approx(0.8**2 + 2 * 0.1**2, rel=0.01)


@pytest.mark.parametrize("value", [0.2, 0.9])
def test_photon_noise_grows_with_the_root_of_the_signal(value):
    noisy = PoissonGaussianNoise(photons=400, std=0.05)(flat(value))
    assert noisy.mean() == pytest.approx(value, rel=0.01)
    assert noisy.var() == pytest.approx(value / 400 + 0.05**2, rel=0.03)


def test_photons_are_counted_whole_and_none_below_black():
    counted = PoissonGaussianNoise(photons=20)(flat(0.5)) * 20
    np.testing.assert_allclose(counted, counted.round(), atol=1e-4)
    assert not PoissonGaussianNoise(photons=20)(flat(-0.5)).any()


@pytest.mark.parametrize("looks", [1, 16])
def test_speckle_scales_with_the_signal(looks):
    noisy = SpeckleNoise(looks)(flat(0.5))
    assert noisy.mean() == pytest.approx(0.5, rel=0.01)
    assert noisy.std() == pytest.approx(0.5 / np.sqrt(looks), rel=0.02)
    assert not SpeckleNoise(looks)(flat(0.0)).any()


@pytest.mark.parametrize("name", NOISES)
def test_the_seed_decides(name):
    image = np.random.default_rng(0).random((1, 8, 8)).astype(np.float32)
    noise, other = NOISES[name](7), NOISES[name](8)
    np.testing.assert_array_equal(noise(image), noise(image))
    np.testing.assert_array_equal(noise(image), NOISES[name](7)(image))
    assert (noise(image) != other(image)).any()


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, MetaTensor])
def test_type_and_shape_go_through_and_the_input_stays(name, kind):
    image = kind(np.full((2, 4, 5), 0.5, np.float32))
    noisy = NOISES[name](0)(image)
    assert type(noisy) is type(image)
    assert noisy.shape == (2, 4, 5)
    assert noisy.dtype == image.dtype
    assert np.asarray(image).std() == 0 < np.asarray(noisy).std()


@pytest.mark.parametrize("noise", [RicianNoise(0), SpeckleNoise(1e9), PoissonGaussianNoise(1e9)])
def test_no_noise_is_the_limit(noise):
    image = np.random.default_rng(0).random((1, 20, 20))
    np.testing.assert_allclose(noise(image), image, atol=5e-4)


@pytest.mark.parametrize(
    ("noise", "arguments", "name"),
    [
        (RicianNoise, {"std": -0.1}, "std"),
        (PoissonGaussianNoise, {"photons": 0}, "photons"),
        (PoissonGaussianNoise, {"photons": 1, "std": -1}, "std"),
        (SpeckleNoise, {"looks": 0}, "looks"),
    ],
)
def test_wrong_arguments_are_named(noise, arguments, name):
    with pytest.raises(ValueError, match=name):
        noise(**arguments)
