"""Spectra of gray images, and sums over rings of one spatial frequency."""

from __future__ import annotations

import torch
from torch import Tensor


def windowed_spectrum(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Fourier transform without the mean, under a Hann window.

    Without the window the jump from one border to the opposite one would pass for high frequencies.

    Args:
        frames: float64, shape (N, H, W).

    Returns:
        Spectrum, complex, shape (N, H, W); the sum of the window's squares.
    """
    rows, columns = frames.shape[1:]
    window = torch.outer(_hann(rows), _hann(columns)).to(frames)
    centred = frames - frames.mean(dim=(1, 2), keepdim=True)
    return torch.fft.fft2(centred * window), (window**2).sum()


def ring_sums(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Add what has about one distance from the zero frequency.

    Args:
        values: at the frequencies of `torch.fft.fft2`, float64, shape (N, H, W).

    Returns:
        Frequencies in cycles per pixel, shape (K,) with K = min(H, W) // 2, equally spaced up to 0.5 without
        zero; sums, shape (N, K); how many values each ring has, shape (K,).
    """
    rows, columns = values.shape[1:]
    rings = min(rows, columns) // 2
    radius = torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.fftfreq(columns)[None])
    ring = (radius * 2 * rings).round().long().flatten().to(values.device)
    counted = (ring >= 1) & (ring <= rings)
    sums = values.new_zeros(len(values), rings)
    sums.index_add_(1, ring[counted] - 1, values.flatten(1)[:, counted])
    counts = torch.bincount(ring[counted] - 1, minlength=rings)
    frequencies = torch.arange(1, rings + 1, dtype=torch.float64, device=values.device) / (2 * rings)
    return frequencies, sums, counts


def _hann(size: int) -> Tensor:
    return torch.hann_window(size + 2, periodic=False, dtype=torch.float64)[1:-1]
