"""Up to which spatial frequency an image agrees with its reference, and where it does not."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from monai_sr.metrics.rings import ring_sums, windowed_spectrum

THRESHOLD = 0.5
"""Correlation below which a ring no longer counts as the same structure."""
STRUCTURE = 0.01
"""A patch whose standard deviation is below this, in both images, has nothing to compare."""


def fourier_ring_correlation(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Normalised correlation of two images in each ring of spatial frequency.

    Args:
        pred: shape (N, 1, H, W), at least 4 x 4.
        target: reference of the same shape.

    Returns:
        Frequencies in cycles per pixel, shape (K,) with K = min(H, W) // 2, up to 0.5 without zero;
        correlation, float64, shape (N, K), from -1 to 1: 1 for the same structure at any contrast, 0 where
        an image has none.

    Raises:
        ValueError: if shapes differ, are not (N, 1, H, W) or are too small.

    Reference:
        Saxton and Baumeister, "The correlation averaging of a regularly arranged bacterial cell envelope
        protein", Journal of Microscopy 127, 1982.

    Example:
        >>> image = torch.rand(1, 1, 8, 8)
        >>> fourier_ring_correlation(0.5 * image, image)[1].numpy().round(6)
        array([[1., 1., 1., 1.]])
    """
    if pred.ndim != 4 or pred.shape[1] != 1 or pred.shape != target.shape or min(pred.shape[2:]) < 4:
        raise ValueError(
            f"pred has shape {tuple(pred.shape)} and target {tuple(target.shape)}: give both (N, 1, H, W), "
            "at least 4 x 4."
        )
    of_pred, _ = windowed_spectrum(pred[:, 0].double())
    of_target, _ = windowed_spectrum(target[:, 0].double())
    frequencies, common, _ = ring_sums((of_pred * of_target.conj()).real)
    norm = (ring_sums(of_pred.abs() ** 2)[1] * ring_sums(of_target.abs() ** 2)[1]).sqrt()
    return frequencies, torch.where(norm > 0, common / norm.clamp_min(torch.finfo(norm.dtype).tiny), 0)


def cutoff_map(pred: Tensor, target: Tensor, patch: int) -> Tensor:
    """Highest frequency up to which each patch of an image agrees with the reference.

    Patches overlap by half; the last of each row and column ends with the image.

    Args:
        pred: shape (H, W), values in [0, 1], each side at least `patch`.
        target: reference of the same shape and range.
        patch: side in pixels, even and at least 8.

    Returns:
        Cycles per pixel from 0 to 0.5, shape (P, Q): where the ring correlation first falls below 0.5,
        interpolated between rings; NaN where neither image has structure.

    Raises:
        ValueError: if shapes differ, are not (H, W) or smaller than `patch`, or `patch` is odd or below 8.

    Reference:
        Kc et al., "sFRC for assessing hallucinations in medical image restoration", 2026,
        https://arxiv.org/abs/2603.04673

    Example:
        >>> image = torch.rand(24, 16)
        >>> cutoff_map(image, image, patch=16).tolist()
        [[0.5], [0.5]]
    """
    if patch < 8 or patch % 2:
        raise ValueError(f"patch is {patch}: give an even number of at least 8.")
    if pred.ndim != 2 or pred.shape != target.shape or min(pred.shape) < patch:
        raise ValueError(
            f"pred has shape {tuple(pred.shape)} and target {tuple(target.shape)}: give both (H, W), at "
            f"least {patch} x {patch}."
        )
    columns = patch_starts(pred.shape[1], patch)
    # A row of patches at a time: all patches of a radiograph would take gigabytes.
    return torch.stack(
        [
            _cutoffs(*(_patches(image[row : row + patch], columns, patch) for image in (pred, target)))
            for row in patch_starts(pred.shape[0], patch)
        ]
    )


def patch_starts(size: int, patch: int) -> list[int]:
    """Where the patches of `cutoff_map` begin along one axis.

    Args:
        size: of the image.
        patch: of a patch, at most `size`.

    Returns:
        First pixels, half a patch apart but for the last.

    Example:
        >>> patch_starts(21, 8)
        [0, 4, 8, 12, 13]
    """
    last = size - patch
    return [*range(0, last, patch // 2), last]


def _patches(strip: Tensor, columns: list[int], patch: int) -> Tensor:
    return torch.stack([strip[:, column : column + patch] for column in columns])[:, None].double()


def _cutoffs(pred: Tensor, target: Tensor) -> Tensor:
    """Of patches (N, 1, p, p), the frequency at which each correlation first falls below the threshold."""
    frequencies, correlation = fourier_ring_correlation(pred, target)
    # At the zero frequency, which the mean's removal empties, patches agree by convention.
    correlation = torch.cat([torch.ones_like(correlation[:, :1]), correlation], dim=1)
    frequencies = torch.cat([torch.zeros_like(frequencies[:1]), frequencies])
    below = correlation < THRESHOLD
    first = below.int().argmax(dim=1, keepdim=True).clamp_min(1)
    before, after = correlation.gather(1, first - 1)[:, 0], correlation.gather(1, first)[:, 0]
    step = frequencies[1] - frequencies[0]
    cutoff = frequencies[first[:, 0]] - step * (THRESHOLD - after) / (before - after)
    cutoff = torch.where(below.any(dim=1), cutoff, frequencies[-1])
    empty = torch.maximum(pred.std(dim=(1, 2, 3)), target.std(dim=(1, 2, 3))) < STRUCTURE
    return torch.where(empty, math.nan, cutoff)
