"""The generator loss of SRGAN and its kin, put together from its terms."""

from __future__ import annotations

import logging

from torch import nn

from monai_sr.losses.adversarial import AdversarialLoss, WassersteinLoss
from monai_sr.losses.generator import GeneratorLoss
from monai_sr.losses.perceptual import FeatureLoss
from monai_sr.losses.total_variation import TotalVariationLoss

logger = logging.getLogger(__name__)


def srgan_loss(
    feature_network: nn.Module | None,
    pixel_weight: float = 1.0,
    feature_weight: float = 0.006,
    adversarial_weight: float = 0.001,
    total_variation_weight: float = 0.0,
    wasserstein: bool = False,
) -> GeneratorLoss:
    """Pixel, feature, adversarial and smoothness terms of the second stage of SRGAN and Swift-SRGAN.

    Args:
        feature_network: `monai_sr.networks.VGG19Features` for SRGAN, `MobileNetV2Features` for Swift-SRGAN;
            None leaves the feature term out, which is the paper's SRGAN-MSE, and says so in the log.
        pixel_weight: of the L1 distance between images.
        feature_weight: of the mean squared distance between features.
        adversarial_weight: of the discriminator's verdict.
        total_variation_weight: of the squared differences between neighbours; Swift-SRGAN's is 2e-8, and 0
            leaves the term out.
        wasserstein: the discriminator is a critic, whose score is taken as it is.

    Returns:
        The weighted terms.

    Raises:
        ValueError: if another weight than the total variation's is not above zero.

    Reference:
        Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
        Network", CVPR 2017, https://arxiv.org/abs/1609.04802
    """
    terms: dict[str, tuple[float, nn.Module]] = {"pixel": (pixel_weight, nn.L1Loss())}
    if feature_network is None:
        logger.warning(
            "Training without a feature loss; for one give vgg_weights (SRGAN) or mobilenet_weights "
            "(Swift-SRGAN): a file of weights, or 'published'."
        )
    else:
        terms["feature"] = (feature_weight, FeatureLoss(feature_network))
    if total_variation_weight > 0:
        terms["total_variation"] = (total_variation_weight, TotalVariationLoss())
    terms["adversarial"] = (adversarial_weight, WassersteinLoss() if wasserstein else AdversarialLoss())
    return GeneratorLoss(terms)
