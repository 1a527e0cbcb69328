from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import erf

from monai_sr.metrics import edge_response


def edge(sigma, degrees=5.0, low=0.3, high=0.7, size=96):
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    angle = math.radians(degrees)
    distance = columns * math.cos(angle) - rows * math.sin(angle)
    return low + (high - low) * 0.5 * (1 + erf(distance / sigma / math.sqrt(2)))


@pytest.mark.parametrize("degrees", [3.0, -5.0, 10.0])
@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0])
def test_the_transfer_of_a_gaussian_blur_is_recovered(sigma, degrees):
    response = edge_response(edge(sigma, degrees))
    expected = np.exp(-2 * (math.pi * sigma * response.frequencies) ** 2)
    np.testing.assert_allclose(response.transfer, expected, atol=0.01)
    significant = expected > 0.3
    np.testing.assert_allclose(response.transfer[significant], expected[significant], rtol=0.03)
    assert response.spread == pytest.approx(2 * 1.2816 * sigma, rel=0.03)
    assert response.overshoot < 1e-3
    assert response.transfer_at(0.1) == pytest.approx(math.exp(-2 * (math.pi * sigma * 0.1) ** 2), abs=0.01)


def test_an_edge_from_bright_to_dark_has_the_same_response():
    bright_first, dark_first = edge_response(edge(1.0, low=5, high=1)), edge_response(edge(1.0))
    np.testing.assert_allclose(bright_first.transfer, dark_first.transfer, atol=1e-6)


def test_ringing_is_overshoot_and_lifts_the_transfer():
    sharpened = 2 * edge(1.0) - edge(2.0)
    response = edge_response(sharpened)
    assert response.overshoot > 0.05
    assert response.transfer.max() > 1.1


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 64)), "at least 16 x 16"),
        (np.zeros((3, 64, 64)), "give .H, W."),
        (np.zeros((64, 64)), "no edge"),
        (edge(0.5, degrees=0.0), "runs along the pixels"),
        (edge(1.0)[:, 46:], "too near to a border"),
    ],
)
def test_what_shows_no_such_edge_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        edge_response(image)
