"""PSNR that a mean survives."""

from __future__ import annotations

from typing import Any

from monai.metrics.regression import PSNRMetric
from torch import Tensor

MAX_PSNR = 100.0
"""In dB. Identical images have an infinite PSNR, which would make every mean infinite and no epoch better."""


class CappedPSNRMetric(PSNRMetric):
    """MONAI's PSNR of each image, at most 100 dB; higher is better.

    An empty slice, which a network reproduces exactly, then counts as very good instead of deciding alone.

    Args:
        max_val: the data range, fixed beforehand.
        reduction: how MONAI reduces the images' values.
        get_not_nans: whether `aggregate()` also returns how many values were counted.

    Example:
        >>> import torch
        >>> image = torch.rand(1, 1, 8, 8)
        >>> CappedPSNRMetric(max_val=1.0)(image, image)
        tensor([[100.]])
    """

    def _compute_metric(self, y_pred: Tensor, y: Tensor) -> Any:
        return super()._compute_metric(y_pred, y).clamp(max=MAX_PSNR)
