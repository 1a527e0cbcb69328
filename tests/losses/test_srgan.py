from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_sr.losses import TotalVariationLoss, srgan_loss


@pytest.fixture
def images():
    return torch.rand(2, 2, 1, 8, 8)


def test_terms_and_weights_are_srgan_s(images):
    network = nn.AvgPool2d(2)
    terms = srgan_loss(network, 2.0, 0.006, 0.001).terms(*images, torch.zeros(2, 1))
    pred, target = images
    assert list(terms) == ["pixel", "feature", "adversarial"]
    assert terms["pixel"] == pytest.approx(2 * (pred - target).abs().mean())
    assert terms["feature"] == pytest.approx(0.006 * (network(pred) - network(target)).square().mean())
    assert terms["adversarial"] == pytest.approx(0.001 * torch.log(torch.tensor(2.0)))


def test_going_without_features_is_said_aloud(images, caplog):
    assert list(srgan_loss(None).terms(*images)) == ["pixel", "adversarial"]
    assert "vgg_weights" in caplog.text


def test_swift_srgan_adds_total_variation(images):
    pred, _ = images
    terms = srgan_loss(nn.AvgPool2d(2), total_variation_weight=2e-8).terms(*images)
    assert list(terms) == ["pixel", "feature", "total_variation", "adversarial"]
    torch.testing.assert_close(terms["total_variation"], 2e-8 * TotalVariationLoss()(pred), rtol=1e-5, atol=0)


def test_a_critic_s_score_is_taken_as_it_is(images):
    terms = srgan_loss(nn.AvgPool2d(2), wasserstein=True).terms(*images, torch.tensor([[3.0], [5.0]]))
    assert terms["adversarial"] == pytest.approx(-0.001 * 4)
