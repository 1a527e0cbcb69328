"""What a network takes of the detectability of lesions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from scipy.stats import norm

from monai_sr.evaluate import make_degradation
from monai_sr.evaluate.lesions import DETECTABILITY, score_lesions
from scripts.lesion_loss import LesionLoss

GREY = torch.full((40, 1, 24, 24), 0.5)
SHARPENING = np.array([[0.0, -0.4, 0.0], [-0.4, 2.6, -0.4], [0.0, -0.4, 0.0]], np.float32)


class Filtered(torch.nn.Module):
    """Nearest neighbours of a filtered slice."""

    def __init__(self, kernel):
        super().__init__()
        self.kernel = torch.from_numpy(kernel)[None, None]

    def forward(self, low):
        padded = torch.nn.functional.pad(low, (1, 1, 1, 1), mode="replicate")
        return (
            torch.nn.functional.conv2d(padded, self.kernel).repeat_interleave(2, -1).repeat_interleave(2, -2)
        )


def loss_of(network, low=GREY):
    return LesionLoss(make_degradation("binning", 2), 2, seed=0)(network, low).detach()


def test_what_enlarges_all_alike_loses_nothing():
    identity = np.zeros((3, 3), np.float32)
    identity[1, 1] = 3.0
    assert abs(float(loss_of(Filtered(identity)))) < 1e-3


def test_it_foretells_what_the_observer_sees():
    network = Filtered(SHARPENING)
    lost = float(loss_of(network))
    foretold = norm.cdf(DETECTABILITY * math.exp(-lost / 2) / math.sqrt(2))

    def enlarge(low):
        with torch.no_grad():
            return network(torch.from_numpy(low)[:, None])[:, 0].numpy()

    high = np.full((192, 192), 0.5, np.float32)
    high[:2] += 0.01  # somewhere it varies
    seen = [
        score_lesions(high, {"sharpened": enlarge}, make_degradation("binning", 2), 2, seed)["sharpened"]
        for seed in range(12)
    ]
    assert lost > 0.2
    assert foretold == pytest.approx(np.mean([each["lesion_auc"] for each in seen]), abs=0.012)


def test_it_is_less_where_noise_is_smoothed_no_more_than_a_lesion():
    blurring = convolve(np.pad([[1.0]], 1), np.full((3, 3), 1 / 9)).astype(np.float32)
    mild = 0.9 * np.pad([[1.0]], 1).astype(np.float32) + 0.1 * blurring
    assert 0 < loss_of(Filtered(mild)) < loss_of(Filtered(SHARPENING))


def test_what_shows_no_tissue_takes_no_part():
    network = Filtered(SHARPENING)
    assert loss_of(network, torch.zeros(3, 1, 24, 24)) == 0
    some = torch.cat([torch.zeros(3, 1, 24, 24), GREY[:5]])
    assert loss_of(network, some) > 0.1


def test_it_is_differentiated_by_the_weights():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.PixelShuffle(2))
    LesionLoss(make_degradation("binning", 2), 2, seed=0)(network, GREY).backward()
    assert network[0].weight.grad.abs().max() > 0
