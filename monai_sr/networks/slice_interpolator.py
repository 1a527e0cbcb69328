"""A network that finds the slices between slices, at any ratio."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from monai_sr.networks.blocks import require_positive, start_from_skip
from monai_sr.networks.edsr import ResidualBlock


class SliceInterpolator(nn.Module):
    """EDSR's body on the slices, and an up-sampling along one axis that is continuous.

    The last convolution gives, in place of one channel for each finer slice, the coefficients of Chebyshev
    polynomials in the finer slice's place between the borders of its slice. So one network serves every
    ratio, a whole number or not.

    Args:
        channels: feature channels.
        num_blocks: residual blocks.
        num_polynomials: degree + 1 of what can be drawn within a slice.

    Raises:
        ValueError: if a size is not above zero.

    Reference:
        Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPRW 2017,
        https://arxiv.org/abs/1707.02921; Hu et al., "Meta-SR: A Magnification-Arbitrary Network for
        Super-Resolution", CVPR 2019, https://arxiv.org/abs/1903.00875

    Example:
        >>> network = SliceInterpolator(channels=8, num_blocks=1)
        >>> network(torch.zeros(1, 1, 6, 20), fine=21, blur=0.3).shape
        torch.Size([1, 1, 21, 20])
    """

    def __init__(self, channels: int = 32, num_blocks: int = 8, num_polynomials: int = 8) -> None:
        super().__init__()
        require_positive(channels=channels, num_blocks=num_blocks, num_polynomials=num_polynomials)
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        blocks: list[nn.Module] = [ResidualBlock(channels, 1.0) for _ in range(num_blocks)]
        self.body = nn.Sequential(*blocks, nn.Conv2d(channels, channels, 3, padding=1))
        self.tail = nn.Conv2d(channels, num_polynomials, 3, padding=1)
        start_from_skip(self.tail)

    def forward(self, x: Tensor, fine: int, blur: float) -> Tensor:
        """What an interpolation of slices lacks.

        Args:
            x: slices across, shape (N, 1, coarse, W), intensities about [0, 1].
            fine: number of finer slices of the same field of view.
            blur: standard deviation of the slice profile, in distances between slices.

        Returns:
            Shape (N, 1, fine, W), same intensity scale.
        """
        coarse = x.shape[-2]
        known = x.new_tensor([math.log2(fine / coarse), 10 * blur]) / 4
        given = known[None, :, None, None].expand(len(x), 2, *x.shape[2:])
        features = self.head(torch.cat([x, given], 1))
        coefficients = self.tail(features + self.body(features))
        position = (torch.arange(fine, dtype=torch.float64) + 0.5) * coarse / fine
        nearest = position.floor().long()
        within = (2 * (position - nearest) - 1).clamp(-1, 1).arccos()
        order = torch.arange(coefficients.shape[1])
        polynomials = torch.cos(order[:, None] * within).to(x)
        out: Tensor = (coefficients[:, :, nearest.to(x.device)] * polynomials[..., None]).sum(1, keepdim=True)
        return out
