from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from monai_sr.losses import AdversarialLoss, CriticLoss, DiscriminatorLoss, GradientPenalty, WassersteinLoss


def test_discriminator_loss_is_the_textbook_s():
    real, fake = torch.randn(2, 5, 1)
    expected = -(real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()) / 2
    assert torch.allclose(DiscriminatorLoss()(real, fake), expected)


def test_only_real_labels_are_smoothed():
    loss = DiscriminatorLoss(label_smoothing=0.1)
    grid = torch.linspace(-8, 8, 1601).unsqueeze(1)
    against_real = torch.stack([loss(logit[None], torch.full((1, 1), -100.0)) for logit in grid])
    assert math.isclose(grid[against_real.argmin()].sigmoid(), 0.9, abs_tol=2e-3)
    against_fake = torch.stack([loss(torch.zeros(1, 1), logit[None]) for logit in grid])
    assert against_fake.argmin() == 0


def test_the_generator_still_learns_from_a_discriminator_that_is_sure():
    logits = torch.tensor([[-200.0]], requires_grad=True)
    AdversarialLoss()(logits).backward()
    assert logits.grad == -1


def test_the_players_of_a_wasserstein_gan_pull_apart():
    real, fake = torch.randn(2, 5, 1)
    assert torch.allclose(CriticLoss()(real, fake), fake.mean() - real.mean())
    assert torch.allclose(WassersteinLoss()(fake), -fake.mean())


class Linear(nn.Module):
    """A critic whose gradient has the same norm everywhere."""

    def __init__(self, norm):
        super().__init__()
        self.weight = nn.Parameter(torch.full((16, 1), norm / 4))

    def forward(self, x):
        return x.flatten(1) @ self.weight


@pytest.mark.parametrize(("norm", "expected"), [(1.0, 0.0), (3.0, 40.0), (0.5, 2.5)])
def test_gradient_penalty_is_two_sided_around_one(norm, expected):
    real, fake = torch.rand(2, 3, 1, 4, 4)
    assert torch.allclose(GradientPenalty(10)(Linear(norm), real, fake), torch.tensor(expected), atol=1e-5)


def test_gradient_penalty_teaches_the_critic_and_not_the_generator():
    critic, real = Linear(3.0), torch.rand(2, 1, 4, 4)
    fake = torch.rand(2, 1, 4, 4, requires_grad=True)
    GradientPenalty()(critic, real, fake).backward()
    assert (critic.weight.grad > 0).all()
    assert fake.grad is None


def test_gradient_penalty_looks_between_real_and_fake():
    seen = []

    class Spy(Linear):
        def forward(self, x):
            seen.append(x.detach())
            return super().forward(x)

    GradientPenalty()(Spy(1.0), torch.ones(64, 1, 4, 4), torch.zeros(64, 1, 4, 4))
    (images,) = seen
    assert torch.equal(images.amin((1, 2, 3)), images.amax((1, 2, 3)))
    assert images.min() < 0.2 < 0.8 < images.max()


@pytest.mark.parametrize(
    ("make", "name"),
    [(lambda: DiscriminatorLoss(0.5), "label_smoothing"), (lambda: GradientPenalty(0), "weight")],
)
def test_wrong_arguments_are_named(make, name):
    with pytest.raises(ValueError, match=name):
        make()
