from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_sr.metrics import feature_distance
from monai_sr.metrics.feature_distance import VGG_LAYER
from monai_sr.networks import VGG19Features


def test_it_does_not_depend_on_the_scale_of_the_features():
    class Scaled(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, image):
            return image * self.factor

    pred, target = torch.rand(2, 1, 8, 8), torch.rand(1, 1, 8, 8)
    one, ten = (feature_distance(Scaled(factor), pred, target) for factor in (1.0, 10.0))
    torch.testing.assert_close(one, ten)
    expected = (pred[1] - target[0]).norm() / target.norm()
    assert one[1].item() == pytest.approx(expected.item())


@pytest.mark.parametrize("shape", [(1, 1, 8, 9), (2, 1, 8, 8), (8, 8)])
def test_one_reference_of_the_same_size_is_needed(shape):
    with pytest.raises(ValueError, match="target"):
        feature_distance(nn.Identity(), torch.rand(2, 1, 8, 8), torch.rand(shape))


@pytest.mark.data
def test_vgg_sees_blur_and_noise(weights_dir):
    file = next(weights_dir.glob("vgg19_normalised*"))
    features = VGG19Features(file, VGG_LAYER)
    torch.manual_seed(0)
    target = torch.rand(1, 1, 64, 64)
    blurred = nn.functional.avg_pool2d(target, 3, 1, 1)
    barely = target + 1e-4 * torch.randn_like(target)
    same, near, far = feature_distance(features, torch.cat([target, barely, blurred]), target).tolist()
    assert same < near < far
    assert same < 1e-3
