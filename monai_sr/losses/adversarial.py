"""The two players of a generative adversarial network, on logits.

MONAI's PatchAdversarialLoss applies a sigmoid before the logarithm, which is unsafe in half precision and
leaves no gradient once the discriminator is sure, so the losses stand here on logits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DiscriminatorLoss(nn.Module):
    """Binary cross-entropy of a discriminator, with one-sided label smoothing.

    Args:
        label_smoothing: real images are labelled 1 minus this, in [0, 0.5); generated ones always 0, since
            smoothing them would reward the generator where it is already wrong.

    Raises:
        ValueError: if the smoothing is outside its range.

    Reference:
        Salimans et al., "Improved Techniques for Training GANs", NeurIPS 2016,
        https://arxiv.org/abs/1606.03498

    Example:
        >>> DiscriminatorLoss()(torch.zeros(2, 1), torch.zeros(2, 1))
        tensor(0.6931)
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 0.5:
            raise ValueError(f"label_smoothing must be in [0, 0.5), got {label_smoothing}; 0.1 is usual.")
        self.real_label = 1.0 - label_smoothing

    def forward(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean loss over both halves, from the logits of real and of generated images, each (N, 1)."""
        real = F.binary_cross_entropy_with_logits(real_logits, torch.full_like(real_logits, self.real_label))
        fake = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
        return (real + fake) / 2


class AdversarialLoss(nn.Module):
    """Non-saturating loss of a generator: the cross-entropy of its images being taken as real.

    Reference:
        Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, https://arxiv.org/abs/1406.2661
    """

    def forward(self, fake_logits: Tensor) -> Tensor:
        """Loss, a scalar, from the logits of generated images, shape (N, 1)."""
        return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


class CriticLoss(nn.Module):
    """Wasserstein loss of a critic: how much higher it scores generated images than real ones.

    Reference:
        Arjovsky et al., "Wasserstein GAN", ICML 2017, https://arxiv.org/abs/1701.07875
    """

    def forward(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Loss, an unbounded scalar, from the scores of real and of generated images, each (N, 1)."""
        return fake_logits.mean() - real_logits.mean()


class WassersteinLoss(nn.Module):
    """Loss of a generator against a critic: the negative of its images' mean score."""

    def forward(self, fake_logits: Tensor) -> Tensor:
        """Loss, an unbounded scalar, from the scores of generated images, shape (N, 1)."""
        return -fake_logits.mean()


class GradientPenalty(nn.Module):
    """Two-sided penalty that holds a critic's gradient near norm 1 between real and generated images.

    The critic must treat each image alone: no batch norm.

    Args:
        weight: λ of the paper.

    Raises:
        ValueError: if the weight is not above zero.

    Reference:
        Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017,
        https://arxiv.org/abs/1704.00028
    """

    def __init__(self, weight: float = 10.0) -> None:
        super().__init__()
        if weight <= 0:
            raise ValueError(f"weight must be above 0, got {weight}; the paper's is 10.")
        self.weight = weight

    def forward(self, critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Penalise one batch, in the precision of the images.

        Args:
            critic: network from images to scores, shape (N, 1).
            real: real images, shape (N, C, H, W).
            fake: generated images, same shape; no gradient flows to them.

        Returns:
            Scalar, weight times the mean of (norm - 1) squared, differentiable by the critic's parameters.
        """
        mix = torch.rand(real.shape[0], 1, 1, 1, device=real.device, dtype=real.dtype)
        between = torch.lerp(fake.detach(), real.detach(), mix).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        excess: Tensor = gradient.flatten(1).norm(dim=1) - 1
        return self.weight * excess.square().mean()
