"""A small network that guesses how far a super-resolved image may be off."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS = 24
LEAST = 1e-4
"""Half-width, of the intensity range, below which nothing is narrower: a thousandth of a grey value."""

GAIN = 10.0
"""What super-resolution adds to interpolation is small beside the image."""

INITIAL = -3.5
"""Bias of the last layer, by which an untrained head gives about 3% of the intensity range."""


class IntervalHead(nn.Module):
    """Half-width of an interval for each finer pixel, from the finer image and what interpolation gives.

    It computes on the source's grid, finer pixels being its channels, so that it costs little beside the
    network whose images it judges.

    Args:
        scale_factor: how many times finer, at least 2.

    Raises:
        ValueError: if `scale_factor` < 2.

    Example:
        >>> head = IntervalHead(2)
        >>> head(torch.zeros(1, 1, 4, 5), torch.zeros(1, 1, 8, 10)).shape
        torch.Size([1, 1, 8, 10])
    """

    RADIUS = 8
    """Source pixels around one that take part: 6 by the convolutions, 2 by interpolation."""

    def __init__(self, scale_factor: int) -> None:
        super().__init__()
        if scale_factor < 2:
            raise ValueError(f"scale_factor must be 2 or more, got {scale_factor}.")
        self.scale_factor = scale_factor
        finer = scale_factor**2
        last = nn.Conv2d(CHANNELS, finer, 1)
        nn.init.constant_(last.bias, INITIAL)  # type: ignore[arg-type]
        self.body = nn.Sequential(
            nn.Conv2d(2 * finer, CHANNELS, 3, padding=1, padding_mode="replicate"),
            nn.ReLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=2, dilation=2, padding_mode="replicate"),
            nn.ReLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=3, dilation=3, padding_mode="replicate"),
            nn.ReLU(),
            last,
        )

    def forward(self, low: Tensor, finer: Tensor) -> Tensor:
        """Guess half-widths.

        Args:
            low: source, normalised to about [0, 1], shape (N, 1, H, W).
            finer: super-resolved image, normalised alike, shape (N, 1, H·s, W·s).

        Returns:
            Positive half-widths of the normalised values, shape (N, 1, H·s, W·s).
        """
        size = [low.shape[-2] * self.scale_factor, low.shape[-1] * self.scale_factor]
        smooth = F.interpolate(low, size=size, mode="bicubic", antialias=True, align_corners=False)
        both = torch.cat([finer, GAIN * (finer - smooth)], 1)
        raw = self.body(F.pixel_unshuffle(both, self.scale_factor))
        return F.softplus(F.pixel_shuffle(raw, self.scale_factor)) + LEAST
