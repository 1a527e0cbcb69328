"""Parts shared by the generators."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F


def shuffle_factors(scale_factor: int) -> list[int]:
    """Factors of the successive sub-pixel steps that make up a scale.

    Args:
        scale_factor: 1 or more; a power of two, or 3.

    Returns:
        The factors, whose product is `scale_factor`: 8 gives [2, 2, 2], 3 gives [3].

    Raises:
        ValueError: if the scale is neither a power of two nor 3.

    Example:
        >>> shuffle_factors(4)
        [2, 2]
    """
    if scale_factor == 3:
        return [3]
    if scale_factor < 1 or scale_factor & (scale_factor - 1):
        raise ValueError(f"scale_factor must be 3 or a power of two, got {scale_factor}; use 2, 3, 4 or 8.")
    return [2] * int(math.log2(scale_factor))


def require_positive(**arguments: int | float) -> None:
    """Check that sizes given to a constructor are above zero.

    Args:
        arguments: the constructor's arguments by name.

    Raises:
        ValueError: naming the first argument that is not above zero.
    """
    for name, value in arguments.items():
        if value <= 0:
            raise ValueError(f"{name} must be above 0, got {value}.")


class SeparableConv2d(nn.Sequential):
    """A convolution split in two: each channel alone in space, then all channels at each pixel.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        kernel_size: side of the square kernel, odd; the size stays but for the stride.
        stride: of the spatial step.
        bias: whether both steps have one.

    Reference:
        Sifre, "Rigid-Motion Scattering for Image Classification", PhD thesis, 2014, section 6.2

    Example:
        >>> import torch
        >>> SeparableConv2d(2, 6, kernel_size=5, stride=2)(torch.zeros(1, 2, 8, 7)).shape
        torch.Size([1, 6, 4, 4])
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, bias: bool = True
    ) -> None:
        padding = kernel_size // 2
        super().__init__(
            nn.Conv2d(in_channels, in_channels, kernel_size, stride, padding, groups=in_channels, bias=bias),
            nn.Conv2d(in_channels, out_channels, 1, bias=bias),
        )


class InterpolatedSkip(nn.Module):
    """The input, bicubically enlarged about the centre of its field of view.

    Added to a generator's output it leaves the network only the detail to learn, which trains faster and
    keeps low-precision inference close to full precision.

    Args:
        scale_factor: enlargement, 1 or more.
    """

    def __init__(self, scale_factor: int) -> None:
        super().__init__()
        self.scale_factor = float(scale_factor)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`, shape (N, C, H, W), to (N, C, H·s, W·s)."""
        return F.interpolate(x, scale_factor=self.scale_factor, mode="bicubic", align_corners=False)


def start_from_skip(tail: nn.Module) -> None:
    """Zero the last convolution, so that training starts from the interpolated image without noise on it.

    Args:
        tail: the convolution, separable or not, whose output is added to the skip.
    """
    last = tail[-1] if isinstance(tail, nn.Sequential) else tail
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
