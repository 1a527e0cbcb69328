from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_sr.degradation import KERNELS, gaussian_blur
from monai_sr.trust.appearance import EDGES, MAX_SIDE, MIN_SIDE, PIXELS, appearance


def scene(size=128, noise=0.02, seed=0):
    """A bright disc with texture and noise, on black."""
    rows, columns = np.mgrid[:size, :size]
    disc = ((rows - size / 2) ** 2 + (columns - size / 2) ** 2 < (size / 3) ** 2) * 0.6
    return np.abs(disc + np.random.default_rng(seed).normal(0, noise, (size, size)))


def test_noise_is_its_standard_deviation_where_there_is_an_image():
    assert appearance([scene(noise=0.02)])["noise"] == pytest.approx(0.02, rel=0.1)
    masked = np.where(scene() > 0.3, scene(noise=0.01), 0)
    assert appearance([masked])["noise"] == pytest.approx(0.01, rel=0.15)


def test_background_and_brightness():
    found = appearance([scene()])
    assert found["dark"] == pytest.approx(1 - np.pi / 9, abs=0.02)
    assert found["middle"] == pytest.approx(0.6, abs=0.01)
    assert found["rim"] < 0.05


def test_rows_and_columns_are_told_apart():
    layers = np.sin(np.arange(128))[:, None] / 4 + np.full((128, 128), 0.5)
    found = appearance([layers + scene(seed=2) / 50])
    turned = appearance([layers.T + scene(seed=2).T / 50])
    assert found["grain"] > 1
    assert turned["grain"] == pytest.approx(-found["grain"])
    assert turned["edge_across"] == pytest.approx(found["edge_down"])


@pytest.mark.parametrize("name", EDGES)
def test_the_spectrum_ends_as_the_degradation_lets_it(name):
    noisy = torch.from_numpy(np.random.default_rng(1).random((1, 256, 256)))

    def edge(image):
        return appearance([image[0].numpy()])[name]

    # Noise has all frequencies alike; a Gaussian is exp(-2 (pi f sigma)^2), power its square.
    assert edge(KERNELS["kspace"](noisy, 2)) == pytest.approx(0, abs=0.1)
    expected = 4 * np.pi**2 * np.log10(np.e) * (np.mean([0.26, 0.36]) ** 2 - np.mean([0.40, 0.48]) ** 2)
    assert edge(gaussian_blur(noisy, 1.0)) == pytest.approx(expected, abs=0.25)
    assert edge(KERNELS["bicubic"](noisy, 2)) < -0.15


def test_a_frame_too_small_or_constant_tells_nothing():
    assert appearance([np.zeros((64, 64)), scene(MIN_SIDE - 1)]) == {}
    assert set(appearance([scene(MIN_SIDE)])) == {*PIXELS, *EDGES}


def test_of_several_frames_the_median_stands():
    frames = [scene(noise=noise) for noise in (0.01, 0.02, 0.2)]
    assert appearance(frames)["noise"] == appearance(frames[1:2])["noise"]


def test_a_huge_frame_is_thinned():
    frame = np.tile(scene(), (1, -(-(MAX_SIDE + 1) // 128)))
    assert appearance([frame])["dark"] == pytest.approx(appearance([scene()])["dark"], abs=0.01)
