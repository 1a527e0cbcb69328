"""Networks: generators, discriminators and feature extractors."""

from monai_sr.networks.edsr import EDSR
from monai_sr.networks.srresnet import SRResNet

__all__ = ["EDSR", "SRResNet"]
