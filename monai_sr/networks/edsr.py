"""EDSR: enhanced deep residual network, no batch normalisation."""

from __future__ import annotations

from torch import Tensor, nn

from monai_sr.networks.blocks import InterpolatedSkip, require_positive, shuffle_factors, start_from_skip


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a ReLU, scaled and added to the input.

    Args:
        channels: feature channels in and out.
        residual_scale: factor on the residual; 0.1 steadies wide networks.
    """

    def __init__(self, channels: int, residual_scale: float) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        out: Tensor = x + self.body(x) * self.residual_scale
        return out


class EDSR(nn.Module):
    """Single-scale EDSR generator.

    The default is the paper's baseline (16 blocks of 64 channels). `num_blocks=32, channels=256,
    residual_scale=0.1` is the full model.

    Args:
        scale_factor: enlargement, one of 2, 3, 4, 8.
        in_channels: image channels in and out.
        channels: feature channels.
        num_blocks: residual blocks.
        residual_scale: factor on each residual.
        global_skip: add the bicubically enlarged input to the output; off in the paper.

    Raises:
        ValueError: if a size is not above zero or the scale is not supported.

    Reference:
        Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPRW 2017,
        https://arxiv.org/abs/1707.02921

    Example:
        >>> import torch
        >>> EDSR(scale_factor=2, num_blocks=1, channels=8)(torch.zeros(1, 1, 5, 7)).shape
        torch.Size([1, 1, 10, 14])
    """

    def __init__(
        self,
        scale_factor: int,
        in_channels: int = 1,
        channels: int = 64,
        num_blocks: int = 16,
        residual_scale: float = 1.0,
        global_skip: bool = False,
    ) -> None:
        super().__init__()
        require_positive(
            in_channels=in_channels, channels=channels, num_blocks=num_blocks, residual_scale=residual_scale
        )
        self.scale_factor = scale_factor
        self.head = nn.Conv2d(in_channels, channels, 3, padding=1)
        blocks: list[nn.Module] = [ResidualBlock(channels, residual_scale) for _ in range(num_blocks)]
        self.body = nn.Sequential(*blocks, nn.Conv2d(channels, channels, 3, padding=1))
        upsampling: list[nn.Module] = []
        for factor in shuffle_factors(scale_factor):
            upsampling += [nn.Conv2d(channels, channels * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
        self.upsampling = nn.Sequential(*upsampling)
        self.tail = nn.Conv2d(channels, in_channels, 3, padding=1)
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
