from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from monai_sr.metrics import cutoff_map, fourier_ring_correlation
from monai_sr.metrics.fourier_ring import patch_starts


def noise(seed, size=64):
    return torch.from_numpy(np.random.default_rng(seed).random((size, size)))


def low_pass(image, cutoff):
    """Everything above a frequency replaced by what another image has there."""
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(image.shape[0]), np.fft.fftfreq(image.shape[1])))
    other = np.fft.fft2(noise(99, len(image)))
    return torch.from_numpy(np.fft.ifft2(np.where(radius < cutoff, np.fft.fft2(image), other)).real)


def test_equal_structure_correlates_whatever_its_contrast():
    image = noise(0)[None, None]
    for other, expected in ((image, 1), (0.2 * image + 0.3, 1), (-image, -1)):
        np.testing.assert_allclose(fourier_ring_correlation(other, image)[1], expected, atol=1e-9)


def test_independent_images_do_not_correlate_and_empty_ones_neither():
    _, correlation = fourier_ring_correlation(noise(0)[None, None], noise(1)[None, None])
    assert correlation.abs().mean() < 0.2
    assert fourier_ring_correlation(torch.zeros(1, 1, 8, 8), torch.rand(1, 1, 8, 8))[1].tolist() == [[0] * 4]


@pytest.mark.parametrize("cutoff", [0.1, 0.2, 0.35])
def test_the_frequency_up_to_which_images_agree_is_found(cutoff):
    image = noise(0, 128)
    found = cutoff_map(low_pass(image, cutoff), image, patch=64)
    # Rings of a patch of 64 pixels are 1 / 64 apart, and its window spreads each over its neighbours.
    assert found.mean().item() == pytest.approx(cutoff, abs=2 / 64)


def test_a_planted_structure_is_found_where_it_was_planted():
    image = torch.from_numpy(gaussian_filter(noise(0, 96).numpy(), 2))
    planted = image.clone()
    planted[70:76, 20:26] += 0.6
    found = cutoff_map(planted, image, patch=32)
    starts = patch_starts(96, 32)
    touched = np.array([[r < 76 <= r + 38 and c < 26 <= c + 38 for c in starts] for r in starts])
    assert (found[~touched] == 0.5).all()
    assert found[touched].min() < 0.1
    # What is there and was removed is found as well.
    assert cutoff_map(image, planted, patch=32)[touched].min() < 0.1


def test_a_structure_planted_where_there_is_nothing_counts_and_nothing_itself_does_not():
    empty, planted = torch.zeros(32, 64), torch.zeros(32, 64)
    planted[12:18, 10:16] = 0.5
    found = cutoff_map(planted, empty, patch=32)[0]
    assert found[0] < 1 / 32
    assert found[2].isnan()


def test_patches_reach_the_end():
    assert patch_starts(32, 32) == [0]
    assert patch_starts(50, 16)[-2:] == [32, 34]
    assert cutoff_map(noise(0)[:40, :21], noise(0)[:40, :21], patch=16).shape == (4, 2)


@pytest.mark.parametrize(
    ("shapes", "patch", "message"),
    [
        (((16, 16), (16, 17)), 16, "pred has shape"),
        (((1, 16, 16), (1, 16, 16)), 16, "give both"),
        (((16, 12), (16, 12)), 16, "at least 16 x 16"),
        (((16, 16), (16, 16)), 15, "patch is 15"),
        (((16, 16), (16, 16)), 6, "patch is 6"),
    ],
)
def test_wrong_arguments_are_refused(shapes, patch, message):
    with pytest.raises(ValueError, match=message):
        cutoff_map(*(torch.rand(shape) for shape in shapes), patch)
    with pytest.raises(ValueError, match="give both"):
        fourier_ring_correlation(torch.rand(1, 1, 3, 8), torch.rand(1, 1, 3, 8))
