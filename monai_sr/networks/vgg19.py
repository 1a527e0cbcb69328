"""VGG19's features, SRGAN's yardstick."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from monai_sr.networks.features import FrozenFeatures

VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""torchvision's VGG19_Weights.IMAGENET1K_V1, 548 MB."""

# Channels of the convolutions before each pooling.
STAGES = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)


class VGG19Features(FrozenFeatures):
    """VGG19 up to one layer, frozen, with torchvision's key names.

    Args:
        weights: a file, the URL of a checkpoint, or "published" (torchvision's); see `load_feature_weights`.
            Weights are always loaded: random features would train silently.
        layer: activation after its ReLU, from "relu1_1" to "relu5_4"; SRGAN uses "relu2_2" and "relu5_4"
            (φ2,2 and φ5,4; indices 8 and 35). The deepest take images of 16 pixels or more.
        value_range: the least and greatest intensity of the images.

    Raises:
        ValueError: if the layer's name is unknown or the range empty.
        InputError: if the weights cannot be read, or lack a layer, or one has another shape.

    Reference:
        Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR
        2015, https://arxiv.org/abs/1409.1556
    """

    def __init__(
        self, weights: str | Path, layer: str = "relu5_4", value_range: Sequence[float] = (0.0, 1.0)
    ) -> None:
        with torch.device("meta"):
            trunk = vgg19_trunk(layer)
        super().__init__(trunk, weights, VGG19_URL, value_range)


def vgg19_trunk(layer: str) -> nn.Sequential:
    """VGG19's layers up to an activation, with random weights.

    Args:
        layer: "relu1_1" to "relu5_4".

    Returns:
        torchvision's `vgg19().features`, cut after that layer.

    Raises:
        ValueError: if there is no such layer.

    Example:
        >>> len(vgg19_trunk("relu2_2"))
        9
    """
    layers: list[nn.Module] = []
    channels = 3
    for stage, widths in enumerate(STAGES, start=1):
        for index, width in enumerate(widths, start=1):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
            if layer == f"relu{stage}_{index}":
                return nn.Sequential(*layers)
        layers.append(nn.MaxPool2d(2))
    raise ValueError(
        f"layer must be 'relu1_1' to 'relu5_4', got {layer!r}; SRGAN uses 'relu2_2' or 'relu5_4'."
    )
