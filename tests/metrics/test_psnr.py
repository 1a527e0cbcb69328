from __future__ import annotations

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from monai_sr.metrics import CappedPSNRMetric


def test_each_image_has_its_own_value_as_in_scikit_image():
    pred, target = torch.rand(2, 3, 1, 9, 11)
    scores = CappedPSNRMetric(max_val=1.0)(pred, target)
    assert scores.shape == (3, 1)
    for index in range(3):
        expected = peak_signal_noise_ratio(target[index].numpy(), pred[index].numpy(), data_range=1)
        assert float(scores[index]) == pytest.approx(expected, abs=1e-4)


def test_an_empty_slice_does_not_decide_the_mean():
    target = torch.rand(2, 1, 8, 8)
    pred = target.clone()
    pred[1] += 0.1
    metric = CappedPSNRMetric(max_val=1.0)
    metric(pred, target)
    assert float(metric.aggregate()) == pytest.approx((100 + 20) / 2, abs=1e-3)
