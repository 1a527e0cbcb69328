"""Networks: generators, discriminators and feature extractors."""

from monai_sr.networks.discriminators import SRGANDiscriminator
from monai_sr.networks.edsr import EDSR
from monai_sr.networks.features import VGG19Features
from monai_sr.networks.published import edsr_state_dict, rgb_to_gray_state_dict
from monai_sr.networks.srresnet import SRResNet

__all__ = [
    "EDSR",
    "SRGANDiscriminator",
    "SRResNet",
    "VGG19Features",
    "edsr_state_dict",
    "rgb_to_gray_state_dict",
]
