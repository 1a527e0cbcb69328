"""SRGAN's generator loss, put together from its terms."""

from __future__ import annotations

import logging

from torch import nn

from monai_sr.losses.adversarial import AdversarialLoss
from monai_sr.losses.generator import GeneratorLoss
from monai_sr.losses.perceptual import FeatureLoss

logger = logging.getLogger(__name__)


def srgan_loss(
    feature_network: nn.Module | None,
    pixel_weight: float = 1.0,
    feature_weight: float = 0.006,
    adversarial_weight: float = 0.001,
) -> GeneratorLoss:
    """Pixel, feature and adversarial terms of SRGAN's second stage.

    Args:
        feature_network: such as `monai_sr.networks.VGG19Features`; None leaves the feature term out, which
            is the paper's SRGAN-MSE, and says so in the log.
        pixel_weight: of the L1 distance between images.
        feature_weight: of the mean squared distance between features.
        adversarial_weight: of the discriminator's verdict.

    Returns:
        The weighted terms.

    Raises:
        ValueError: if a weight is not above zero.

    Reference:
        Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
        Network", CVPR 2017, https://arxiv.org/abs/1609.04802
    """
    terms: dict[str, tuple[float, nn.Module]] = {"pixel": (pixel_weight, nn.L1Loss())}
    if feature_network is None:
        logger.warning(
            "Training without a feature loss; for one give vgg_weights: a file of VGG19, or 'published'."
        )
    else:
        terms["feature"] = (feature_weight, FeatureLoss(feature_network))
    terms["adversarial"] = (adversarial_weight, AdversarialLoss())
    return GeneratorLoss(terms)
