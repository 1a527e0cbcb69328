from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d

from monai_sr.metrics import HaarPSIMetric, haar_psi


@pytest.fixture
def image():
    """Smooth structure with edges: blurred noise, a bright disk, a dark bar."""
    values = gaussian_filter(np.random.default_rng(0).random((64, 80)), 2)
    values = (values - values.min()) / np.ptp(values)
    rows, columns = np.mgrid[:64, :80]
    values[(rows - 30) ** 2 + (columns - 40) ** 2 < 15**2] = 0.9
    values[50:55, 10:70] = 0.1
    return values


def tensor(image):
    return torch.from_numpy(np.asarray(image, np.float64))[None, None]


def haar_psi_by_the_paper(reference, distorted, c, alpha):
    """Equations 10-12 of the paper, written out pixel by pixel map, in numpy."""

    def same(values, kernel):
        full = convolve2d(values, kernel, mode="full")
        start = kernel.shape[0] // 2
        return full[start : start + values.shape[0], start : start + values.shape[1]]

    def coefficients(values):
        values = same(255 * values, np.full((2, 2), 1 / 4))[::2, ::2]
        lowpass, highpass = np.array([1.0, 1.0]) / np.sqrt(2), np.array([-1.0, 1.0]) / np.sqrt(2)
        maps = []
        for scale in range(3):
            g, h = highpass, lowpass
            for _ in range(scale):
                g = np.convolve(lowpass, np.insert(g, range(1, len(g)), 0))
                h = np.convolve(lowpass, np.insert(h, range(1, len(h)), 0))
            maps.append((np.abs(same(values, np.outer(g, h))), np.abs(same(values, np.outer(h, g)))))
        return maps

    ours, theirs = coefficients(reference), coefficients(distorted)
    numerator = denominator = 0.0
    for k in range(2):
        local = np.mean(
            [
                (2 * a[k] * b[k] + c) / (a[k] ** 2 + b[k] ** 2 + c)
                for a, b in zip(ours[:2], theirs[:2], strict=True)
            ],
            axis=0,
        )
        weight = np.maximum(ours[2][k], theirs[2][k])
        numerator += (weight / (1 + np.exp(-alpha * local))).sum()
        denominator += weight.sum()
    mean = numerator / denominator
    return (np.log(mean / (1 - mean)) / alpha) ** 2


@pytest.mark.parametrize(("c", "alpha"), [(5.0, 4.9), (30.0, 4.2)])
def test_agrees_with_the_paper_written_out(image, c, alpha):
    distorted = np.clip(image + np.random.default_rng(1).normal(0, 0.1, image.shape), 0, 1)
    expected = haar_psi_by_the_paper(image, distorted, c, alpha)
    assert 0.1 < expected < 0.9
    assert haar_psi(tensor(distorted), tensor(image), c, alpha).item() == pytest.approx(expected, abs=1e-6)


def test_default_is_the_medical_setting(image):
    blurred = gaussian_filter(image, 1)
    assert haar_psi(tensor(blurred), tensor(image)) == haar_psi(tensor(blurred), tensor(image), 5.0, 4.9)


def test_identical_images_score_one(image):
    assert haar_psi(tensor(image), tensor(image)).item() == pytest.approx(1)
    black = torch.zeros(1, 1, 32, 32)
    assert haar_psi(black, black).item() == 1


def test_is_symmetric(image):
    blurred = gaussian_filter(image, 1)
    assert haar_psi(tensor(blurred), tensor(image)) == haar_psi(tensor(image), tensor(blurred))


@pytest.mark.parametrize(
    "distort",
    [
        lambda image, strength: gaussian_filter(image, strength),
        lambda image, strength: image + np.random.default_rng(0).normal(0, 0.05 * strength, image.shape),
    ],
    ids=["blur", "noise"],
)
def test_falls_with_distortion(image, distort):
    scores = [haar_psi(tensor(distort(image, s)), tensor(image)).item() for s in (0.4, 0.8, 1.6, 3.2)]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] < 1


def test_every_image_of_a_batch_is_scored(image):
    blurred = gaussian_filter(image, 1)
    both = haar_psi(torch.cat([tensor(image), tensor(blurred)]), torch.cat([tensor(image)] * 2))
    assert both.tolist() == pytest.approx([1, haar_psi(tensor(blurred), tensor(image)).item()])
    metric = HaarPSIMetric()
    metric(torch.cat([tensor(image), tensor(blurred)]), torch.cat([tensor(image)] * 2))
    assert metric.aggregate().item() == pytest.approx(both.mean().item())


@pytest.mark.parametrize(
    ("pred", "target", "constants", "message"),
    [
        ((1, 1, 32, 32), (1, 1, 32, 31), (5, 4.9), "shape"),
        ((1, 3, 32, 32), (1, 3, 32, 32), (5, 4.9), "N, 1, H, W"),
        ((32, 32), (32, 32), (5, 4.9), "N, 1, H, W"),
        ((1, 1, 15, 32), (1, 1, 15, 32), (5, 4.9), "at least 16"),
        ((1, 1, 32, 32), (1, 1, 32, 32), (0, 4.9), "above 0"),
        ((1, 1, 32, 32), (1, 1, 32, 32), (5, -1), "above 0"),
    ],
)
def test_wrong_arguments_are_named(pred, target, constants, message):
    with pytest.raises(ValueError, match=message):
        haar_psi(torch.zeros(pred), torch.zeros(target), *constants)
