from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_sr.losses import FeatureLoss
from monai_sr.networks import VGG19Features


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()).requires_grad_(False)


@pytest.mark.parametrize(("criterion", "power"), [("mse", 2), ("l1", 1)])
def test_it_is_the_mean_distance_of_features(network, criterion, power):
    pred, target = torch.rand(2, 2, 1, 8, 8)
    expected = (network(pred) - network(target)).abs().pow(power).mean()
    assert torch.allclose(FeatureLoss(network, criterion)(pred, target), expected)


def test_gradient_flows_to_the_prediction_only(network):
    pred, target = (torch.rand(1, 1, 8, 8, requires_grad=True) for _ in range(2))
    FeatureLoss(network)(pred, target).backward()
    assert pred.grad.abs().sum() > 0
    assert target.grad is None


def test_half_precision_features_do_not_overflow():
    class Loud(nn.Module):
        def forward(self, x):
            return x.half() * 1000

    loss = FeatureLoss(Loud())(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    assert loss.dtype == torch.float32
    assert loss == 1e6


def test_unknown_criterion_is_named(network):
    with pytest.raises(ValueError, match="criterion"):
        FeatureLoss(network, "cosine")


def test_real_features_cost_more_the_stronger_the_blur(weights_dir):
    path = weights_dir / "vgg19_normalised_conv1_1-conv3_1_torchvision_keys_fp16.pt"
    loss = FeatureLoss(VGG19Features(path, "relu2_2"))
    target = torch.zeros(1, 1, 32, 32)
    target[..., 8:24, 8:24] = 1.0
    costs = [
        loss(nn.functional.avg_pool2d(target, k, stride=1, padding=k // 2), target) for k in (1, 3, 5, 7)
    ]
    assert costs[0] == 0
    assert costs == sorted(costs)
