from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_sr.metrics.rings import ring_sums, windowed_spectrum


def test_every_frequency_falls_into_the_ring_of_its_distance():
    values = torch.from_numpy(np.random.default_rng(0).random((1, 12, 8)))
    frequencies, sums, counts = ring_sums(values)
    assert frequencies.tolist() == [0.125, 0.25, 0.375, 0.5]
    expected = np.zeros(4)
    for row in range(12):
        for column in range(8):
            distance = np.hypot(np.fft.fftfreq(12)[row], np.fft.fftfreq(8)[column])
            ring = round(distance * 8)
            if 1 <= ring <= 4:
                expected[ring - 1] += values[0, row, column]
    np.testing.assert_allclose(sums[0], expected)
    assert counts.sum() < 12 * 8  # neither the zero frequency nor the corners


def test_the_spectrum_leaves_out_the_mean_and_the_borders():
    image = torch.from_numpy(np.random.default_rng(1).random((2, 8, 8)))
    spectrum, energy = windowed_spectrum(image)
    window = np.outer(np.hanning(10)[1:-1], np.hanning(10)[1:-1])
    np.testing.assert_allclose(
        spectrum[1], np.fft.fft2((image[1] - image[1].mean()).numpy() * window), atol=1e-12
    )
    assert energy.item() == pytest.approx((window**2).sum())
