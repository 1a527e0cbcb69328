"""Discriminators: real high-resolution images against super-resolved ones."""

from __future__ import annotations

from torch import Tensor, nn

from monai_sr.networks.blocks import SeparableConv2d, require_positive


class SRGANDiscriminator(nn.Module):
    """Discriminator of SRGAN; without batch norm, the critic of a Wasserstein GAN.

    Eight convolutions that double the channels and halve the size by turns, then two dense layers. The
    adaptive pooling, the identity for 96 × 96 pixels, lets it judge images of any size.

    Args:
        in_channels: image channels.
        channels: feature channels of the first convolution; the last has eight times as many.
        norm: "batch", or "none" for a critic under a gradient penalty, which acts on each image alone.

    Raises:
        ValueError: if a size is not above zero or `norm` is unknown.

    Reference:
        Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
        Network", CVPR 2017, https://arxiv.org/abs/1609.04802

    Example:
        >>> import torch
        >>> SRGANDiscriminator(channels=4)(torch.zeros(2, 1, 40, 56)).shape
        torch.Size([2, 1])
    """

    def __init__(self, in_channels: int = 1, channels: int = 64, norm: str = "batch") -> None:
        super().__init__()
        require_positive(in_channels=in_channels, channels=channels)
        if norm not in ("batch", "none"):
            raise ValueError(f"norm must be 'batch' or 'none', got {norm!r}.")
        widths = [channels * factor for factor in (1, 1, 2, 2, 4, 4, 8, 8)]
        layers: list[nn.Module] = []
        previous = in_channels
        for index, width in enumerate(widths):
            normalised = norm == "batch" and index > 0
            # Batch norm has its own offset, so a bias before it would be dead weight.
            layers.append(self._convolution(previous, width, stride=1 + index % 2, bias=not normalised))
            if normalised:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            previous = width
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(6)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(previous * 36, channels * 16), nn.LeakyReLU(0.2, inplace=True)
        )
        self.logit = nn.Linear(channels * 16, 1)

    @staticmethod
    def _convolution(in_channels: int, out_channels: int, stride: int, bias: bool) -> nn.Module:
        return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Judge each image of a batch.

        Args:
            x: images, shape (N, in_channels, H, W), H and W 16 pixels or more.

        Returns:
            Logits before any sigmoid, shape (N, 1): above 0 for images taken as real.
        """
        out: Tensor = self.logit(self.head(self.pool(self.features(x))))
        return out


class SwiftSRGANDiscriminator(SRGANDiscriminator):
    """Discriminator of Swift-SRGAN: SRGAN's, of depthwise-separable convolutions.

    Args:
        in_channels: image channels.
        channels: feature channels of the first convolution; the last has eight times as many.
        norm: "batch", or "none" for a critic under a gradient penalty.

    Raises:
        ValueError: if a size is not above zero or `norm` is unknown.

    Reference:
        Krishnan and Krishnan, "SwiftSRGAN: Rethinking Super-Resolution for Efficient and Real-time
        Inference", ICICyTA 2021, https://arxiv.org/abs/2111.14320

    Example:
        >>> import torch
        >>> SwiftSRGANDiscriminator(channels=4)(torch.zeros(2, 1, 40, 56)).shape
        torch.Size([2, 1])
    """

    @staticmethod
    def _convolution(in_channels: int, out_channels: int, stride: int, bias: bool) -> nn.Module:
        return SeparableConv2d(in_channels, out_channels, 3, stride, bias)
