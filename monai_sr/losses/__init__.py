"""Losses: what the generator and the discriminator learn from."""

from monai_sr.losses.adversarial import (
    AdversarialLoss,
    CriticLoss,
    DiscriminatorLoss,
    GradientPenalty,
    WassersteinLoss,
)
from monai_sr.losses.generator import GeneratorLoss
from monai_sr.losses.perceptual import FeatureLoss
from monai_sr.losses.srgan import srgan_loss
from monai_sr.losses.total_variation import TotalVariationLoss

__all__ = [
    "AdversarialLoss",
    "CriticLoss",
    "DiscriminatorLoss",
    "FeatureLoss",
    "GeneratorLoss",
    "GradientPenalty",
    "TotalVariationLoss",
    "WassersteinLoss",
    "srgan_loss",
]
