"""Swift-SRGAN's generator: SRResNet of depthwise-separable convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_sr.networks.blocks import (
    InterpolatedSkip,
    SeparableConv2d,
    require_positive,
    shuffle_factors,
    start_from_skip,
)


class ConvBlock(nn.Module):
    """Separable convolution, batch norm and, where asked for, a PReLU with a slope for each channel.

    Args:
        channels: feature channels in and out.
        activation: whether the PReLU is applied. Published weights hold its slopes either way; those that
            are not applied stay frozen, as nothing could train them.
    """

    def __init__(self, channels: int, activation: bool) -> None:
        super().__init__()
        self.convolution = SeparableConv2d(channels, channels, 3, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.activation = nn.PReLU(channels).requires_grad_(activation)
        self.activated = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        out: Tensor = self.norm(self.convolution(x))
        return self.activation(out) if self.activated else out


class SeparableResidualBlock(nn.Module):
    """Two separable convolution blocks, the first of them activated, added to the input.

    Args:
        channels: feature channels in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBlock(channels, True), ConvBlock(channels, False))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        out: Tensor = x + self.body(x)
        return out


class SwiftSRGAN(nn.Module):
    """Swift-SRGAN's generator: an eighth of SRResNet's weights in the same topology.

    Args:
        scale_factor: enlargement, one of 2, 4, 8; log2(scale_factor) up-sampling blocks. (The authors' code
            built scale_factor // 2 of them, which made sixteen times out of eight.)
        in_channels: image channels in and out.
        channels: feature channels.
        num_blocks: residual blocks.
        global_skip: add the bicubically enlarged input to the output, in place of the paper's (tanh + 1) / 2,
            which cannot leave [0, 1].

    Raises:
        ValueError: if a size is not above zero or the scale is not a power of two.

    Reference:
        Krishnan and Krishnan, "SwiftSRGAN: Rethinking Super-Resolution for Efficient and Real-time
        Inference", ICICyTA 2021, https://arxiv.org/abs/2111.14320

    Example:
        >>> SwiftSRGAN(scale_factor=4, num_blocks=1, channels=8).eval()(torch.zeros(1, 1, 5, 7)).shape
        torch.Size([1, 1, 20, 28])
    """

    def __init__(
        self,
        scale_factor: int,
        in_channels: int = 1,
        channels: int = 64,
        num_blocks: int = 16,
        global_skip: bool = False,
    ) -> None:
        super().__init__()
        require_positive(in_channels=in_channels, channels=channels, num_blocks=num_blocks)
        if scale_factor == 3:
            raise ValueError(
                "scale_factor must be a power of two for SwiftSRGAN, got 3; use 2, 4, 8, or EDSR."
            )
        self.scale_factor = scale_factor
        self.head = nn.Sequential(SeparableConv2d(in_channels, channels, 9), nn.PReLU(channels))
        blocks: list[nn.Module] = [SeparableResidualBlock(channels) for _ in range(num_blocks)]
        self.body = nn.Sequential(*blocks, ConvBlock(channels, False))
        upsampling: list[nn.Module] = []
        for factor in shuffle_factors(scale_factor):
            upsampling += [
                SeparableConv2d(channels, channels * factor**2, 3),
                nn.PixelShuffle(factor),
                nn.PReLU(channels),
            ]
        self.upsampling = nn.Sequential(*upsampling)
        self.tail = SeparableConv2d(channels, in_channels, 9)
        self.skip = InterpolatedSkip(scale_factor) if global_skip else None
        if self.skip is not None:
            start_from_skip(self.tail)

    def forward(self, x: Tensor) -> Tensor:
        """Super-resolve a batch.

        Args:
            x: low resolution, shape (N, in_channels, H, W), intensities about [0, 1].

        Returns:
            High resolution, shape (N, in_channels, H·scale_factor, W·scale_factor), same intensity scale;
            without a global skip, strictly within [0, 1].
        """
        features = self.head(x)
        features = features + self.body(features)
        out: Tensor = self.tail(self.upsampling(features))
        out = (torch.tanh(out) + 1) / 2 if self.skip is None else out + self.skip(x)
        return out
