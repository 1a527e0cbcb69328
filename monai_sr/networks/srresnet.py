"""SRResNet, the generator of SRGAN."""

from __future__ import annotations

from torch import Tensor, nn

from monai_sr.networks.blocks import InterpolatedSkip, require_positive, shuffle_factors, start_from_skip


class NormalizedResidualBlock(nn.Module):
    """Convolution, batch norm, PReLU, convolution, batch norm, added to the input.

    Args:
        channels: feature channels in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Batch norm has its own offset, so a bias before it would be dead weight.
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        out: Tensor = x + self.body(x)
        return out


class SRResNet(nn.Module):
    """SRResNet: residual generator with batch norm and sub-pixel up-sampling.

    Args:
        scale_factor: enlargement, one of 2, 4, 8; log2(scale_factor) up-sampling blocks.
        in_channels: image channels in and out.
        channels: feature channels.
        num_blocks: residual blocks.
        global_skip: add the bicubically enlarged input to the output; off in the paper.

    Raises:
        ValueError: if a size is not above zero or the scale is not a power of two.

    Reference:
        Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
        Network", CVPR 2017, https://arxiv.org/abs/1609.04802

    Example:
        >>> import torch
        >>> SRResNet(scale_factor=4, num_blocks=1, channels=8).eval()(torch.zeros(1, 1, 5, 7)).shape
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
            raise ValueError("scale_factor must be a power of two for SRResNet, got 3; use 2, 4, 8, or EDSR.")
        self.scale_factor = scale_factor
        self.head = nn.Sequential(nn.Conv2d(in_channels, channels, 9, padding=4), nn.PReLU())
        blocks: list[nn.Module] = [NormalizedResidualBlock(channels) for _ in range(num_blocks)]
        self.body = nn.Sequential(
            *blocks, nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        upsampling: list[nn.Module] = []
        for factor in shuffle_factors(scale_factor):
            upsampling += [
                nn.Conv2d(channels, channels * factor**2, 3, padding=1),
                nn.PixelShuffle(factor),
                nn.PReLU(),
            ]
        self.upsampling = nn.Sequential(*upsampling)
        self.tail = nn.Conv2d(channels, in_channels, 9, padding=4)
        self.skip = InterpolatedSkip(scale_factor) if global_skip else None
        if self.skip is not None:
            start_from_skip(self.tail)

    def forward(self, x: Tensor) -> Tensor:
        """Super-resolve a batch.

        Args:
            x: low resolution, shape (N, in_channels, H, W), intensities about [0, 1].

        Returns:
            High resolution, shape (N, in_channels, H·scale_factor, W·scale_factor), same intensity scale.
        """
        features = self.head(x)
        features = features + self.body(features)
        out: Tensor = self.tail(self.upsampling(features))
        if self.skip is not None:
            out = out + self.skip(x)
        return out
