from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_sr.losses import (
    AdversarialLoss,
    FeatureLoss,
    GeneratorLoss,
    TotalVariationLoss,
    WassersteinLoss,
)
from monai_sr.networks import SRGANDiscriminator


def make_terms():
    features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()).requires_grad_(False)
    return {
        "pixel": [1.0, nn.MSELoss()],
        "l1": [1.0, nn.L1Loss()],
        "feature": [0.006, FeatureLoss(features)],
        "total_variation": [2e-8, TotalVariationLoss()],
        "adversarial": [1e-3, AdversarialLoss()],
    }


@pytest.mark.parametrize("name", [*make_terms(), "wasserstein"])
def test_each_term_s_gradient_reaches_the_generator(name):
    terms = make_terms() | {"wasserstein": [1e-3, WassersteinLoss()]}
    key = "adversarial" if name == "wasserstein" else name
    loss = GeneratorLoss({key: terms[name]})
    generator = nn.Conv2d(1, 1, 3, padding=1)
    discriminator = SRGANDiscriminator(channels=2, norm="none")
    pred = generator(torch.rand(2, 1, 16, 16))
    (term,) = loss.terms(pred, torch.rand(2, 1, 16, 16), discriminator(pred)).values()
    term.backward()
    assert generator.weight.grad.any()


def test_terms_are_weighted_and_sum_to_the_loss():
    loss = GeneratorLoss({"pixel": [2.0, nn.MSELoss()], "l1": [0.5, nn.L1Loss()]})
    pred, target = torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 3.0)
    assert loss.terms(pred, target) == {"pixel": 18.0, "l1": 1.5}
    assert loss(pred, target) == 19.5


def test_adversarial_term_is_scaled_by_its_ramp_and_absent_without_logits():
    loss = GeneratorLoss(make_terms())
    pred, target, logits = torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8), torch.zeros(1, 1)
    full = loss.terms(pred, target, logits)["adversarial"]
    assert torch.allclose(loss.terms(pred, target, logits, 0.25)["adversarial"], full / 4)
    assert loss.terms(pred, target)["adversarial"] == 0
    assert loss.adversarial
    assert not GeneratorLoss({"pixel": [1.0, nn.MSELoss()]}).adversarial


@pytest.mark.parametrize("terms", [{}, {"pixel": [0.0, nn.MSELoss()]}, {"pixel": [nn.MSELoss(), 1.0]}])
def test_wrong_terms_are_named(terms):
    with pytest.raises(ValueError, match="terms"):
        GeneratorLoss(terms)
