"""Networks: generators, discriminators and feature extractors."""

from monai_sr.networks.conversion import srresnet_from_edsr
from monai_sr.networks.discriminators import SRGANDiscriminator, SwiftSRGANDiscriminator
from monai_sr.networks.edsr import EDSR
from monai_sr.networks.interval_head import IntervalHead
from monai_sr.networks.mobilenet_v2 import MobileNetV2Features
from monai_sr.networks.published import edsr_state_dict, rgb_to_gray_state_dict
from monai_sr.networks.slice_interpolator import SliceInterpolator
from monai_sr.networks.srresnet import SRResNet
from monai_sr.networks.swift_srgan import SwiftSRGAN
from monai_sr.networks.vgg19 import VGG19Features

__all__ = [
    "EDSR",
    "IntervalHead",
    "MobileNetV2Features",
    "SRGANDiscriminator",
    "SRResNet",
    "SliceInterpolator",
    "SwiftSRGAN",
    "SwiftSRGANDiscriminator",
    "VGG19Features",
    "edsr_state_dict",
    "rgb_to_gray_state_dict",
    "srresnet_from_edsr",
]
