"""MobileNetV2's features, Swift-SRGAN's yardstick."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from monai_sr.networks.features import FrozenFeatures

MOBILENET_V2_URL = "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"
"""torchvision's MobileNet_V2_Weights.IMAGENET1K_V1, 14 MB."""

LAST = 18
"""Index of the last layer of the features; 1 to 17 are the inverted residuals."""

# Expansion, channels, repetitions and first stride of the inverted residuals: the paper's table 2.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """Expand, convolve each channel alone, project; added to the input where the shapes agree.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        stride: 1 or 2.
        expansion: channels inside, in multiples of those in.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_conv_norm_relu(in_channels, hidden, 1)]
        layers += [
            _conv_norm_relu(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H/stride, W/stride)."""
        out: Tensor = self.conv(x)
        return x + out if self.residual else out


class MobileNetV2Features(FrozenFeatures):
    """MobileNetV2 up to one layer, frozen, with torchvision's key names.

    Args:
        weights: a file, the URL of a checkpoint, or "published" (torchvision's); see `load_feature_weights`.
            Weights are always loaded: random features would train silently.
        layer: index of the last layer, 0 to 18; 18, Swift-SRGAN's, has 1280 channels at a 32nd of the size.
        value_range: the least and greatest intensity of the images.

    Raises:
        ValueError: if there is no such layer or the range is empty.
        InputError: if the weights cannot be read, or lack a layer, or one has another shape.

    Reference:
        Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018,
        https://arxiv.org/abs/1801.04381
    """

    def __init__(
        self, weights: str | Path, layer: int = LAST, value_range: Sequence[float] = (0.0, 1.0)
    ) -> None:
        if not 0 <= layer <= LAST:
            raise ValueError(f"layer must be from 0 to {LAST}, got {layer}; Swift-SRGAN uses {LAST}.")
        with torch.device("meta"):
            trunk = nn.Sequential(*list(mobilenet_v2_trunk())[: layer + 1])
        super().__init__(trunk, weights, MOBILENET_V2_URL, value_range)


def mobilenet_v2_trunk() -> nn.Sequential:
    """The layers of torchvision's `mobilenet_v2().features`, with random weights.

    Returns:
        Nineteen layers, from 3 channels to 1280.

    Example:
        >>> sum(parameter.numel() for parameter in mobilenet_v2_trunk().parameters())
        2223872
    """
    layers: list[nn.Module] = [_conv_norm_relu(3, 32, 3, stride=2)]
    channels = 32
    for expansion, width, repetitions, first_stride in STAGES:
        for index in range(repetitions):
            stride = first_stride if index == 0 else 1
            layers.append(InvertedResidual(channels, width, stride, expansion))
            channels = width
    layers.append(_conv_norm_relu(channels, 1280, 1))
    return nn.Sequential(*layers)


def _conv_norm_relu(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )
