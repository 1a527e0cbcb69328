from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from monai_sr.metrics import radial_power_spectrum, spectrum_error


def noise(*shape, std=0.1):
    return torch.from_numpy(np.random.default_rng(0).normal(0.5, std, (1, 1, *shape)))


@pytest.mark.parametrize("shape", [(64, 64), (64, 96), (63, 41)])
def test_white_noise_has_its_variance_at_every_frequency(shape):
    frequencies, power = radial_power_spectrum(noise(*shape))
    assert len(frequencies) == min(shape) // 2
    assert frequencies[-1].item() == 0.5
    assert power[0, 3:].mean().item() == pytest.approx(0.01, rel=0.1)
    assert power[0, 3:].min() > 0.002


@pytest.mark.parametrize("axis", [0, 1])
def test_a_wave_has_its_power_at_its_frequency(axis):
    wave = np.sin(2 * np.pi * 0.25 * np.mgrid[:64, :96][axis])
    frequencies, power = radial_power_spectrum(torch.from_numpy(wave)[None, None])
    peak = power[0].argmax()
    assert frequencies[peak].item() == 0.25
    assert power[0, peak - 1 : peak + 2].sum() > 0.99 * power.sum()


def test_brightness_is_no_power():
    assert radial_power_spectrum(torch.full((1, 1, 16, 16), 0.7))[1].max() < 1e-20


def test_batch_equals_single_images():
    images = torch.rand(3, 1, 20, 24)
    together = radial_power_spectrum(images)[1]
    for index in range(3):
        assert torch.allclose(together[index], radial_power_spectrum(images[index : index + 1])[1][0])


def test_equal_spectra_have_no_error():
    image = noise(32, 32)
    assert spectrum_error(image, image).item() == 0


def test_a_known_ratio_in_decibel():
    image = noise(32, 32)
    assert spectrum_error(image / 10, image).item() == pytest.approx(20)
    assert spectrum_error(image * 10, image).item() == pytest.approx(20)


def test_min_frequency_leaves_low_frequencies_out():
    image = noise(64, 64)
    sampled = np.fft.fft2(image[0, 0].numpy())
    radius = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    changed = np.fft.ifft2(np.where(radius < 0.15, 3 * sampled, sampled)).real
    pred = torch.from_numpy(changed)[None, None]
    assert spectrum_error(pred, image, min_frequency=0.25).item() < 0.2
    assert spectrum_error(pred, image).item() > 2


def test_wrong_detail_has_the_right_spectrum_and_blur_has_not():
    image = gaussian_filter(np.random.default_rng(0).random((64, 64)), 0.7)
    other = gaussian_filter(np.random.default_rng(1).random((64, 64)), 0.7)
    image, other, blurred = (
        torch.from_numpy(values)[None, None] for values in (image, other, gaussian_filter(image, 1.5))
    )
    assert (blurred - image).square().mean() < (other - image).square().mean()
    assert spectrum_error(other, image, 0.25) < spectrum_error(blurred, image, 0.25) / 3


def test_an_empty_spectrum_stays_finite():
    flat = torch.zeros(1, 1, 16, 16)
    assert spectrum_error(flat, flat).item() == 0
    assert 0 < spectrum_error(flat, noise(16, 16)).item() < 200


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="image has shape"):
        radial_power_spectrum(torch.zeros(16, 16))
    with pytest.raises(ValueError, match="image has shape"):
        radial_power_spectrum(torch.zeros(1, 1, 3, 16))
    with pytest.raises(ValueError, match="pred has shape"):
        spectrum_error(torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 17))
    with pytest.raises(ValueError, match="min_frequency"):
        spectrum_error(noise(16, 16), noise(16, 16), min_frequency=0.6)
