"""Haar wavelet-based perceptual similarity index, tuned for medical images."""

from __future__ import annotations

import torch
from monai.metrics.regression import RegressionMetric
from monai.utils import MetricReduction
from torch import Tensor
from torch.nn import functional as F

C_MEDICAL = 5.0
ALPHA_MEDICAL = 4.9
MIN_SIZE = 16  # the coarsest filter spans 8 pixels of the halved image
GRAY_LEVELS = 255.0  # C is calibrated on 8-bit gray levels


def haar_psi(pred: Tensor, target: Tensor, c: float = C_MEDICAL, alpha: float = ALPHA_MEDICAL) -> Tensor:
    """Similarity of gray images as readers see it, by Haar wavelets on three scales.

    The images are averaged 2 x 2 first, as in the paper. The two finest scales give the local similarity,
    the coarsest its weight; borders are extended by zero.

    Args:
        pred: shape (N, 1, H, W), values in [0, 1], at least 16 x 16.
        target: reference of the same shape and range.
        c: stabilises the similarity of small coefficients, in squared 8-bit gray levels, above 0. The default
            5 was found on medical images; the original 30 on natural ones.
        alpha: slope of the logistic function, above 0; 4.9 for medical images, 4.2 for natural ones.

    Returns:
        Index of each image, shape (N,), in float64: 1 for identical images, towards 0 for unlike ones.

    Raises:
        ValueError: if shapes differ or are not (N, 1, H, W), an image is too small, or `c` or `alpha` is not
            above 0.

    Reference:
        Reisenhofer et al., A Haar Wavelet-Based Perceptual Similarity Index for Image Quality Assessment,
        Signal Processing: Image Communication 61, 2018, arXiv:1607.06140; the medical constants from Karner
        et al., Parameter choices in HaarPSI for IQA with medical images, arXiv:2410.24098.

    Example:
        >>> image = torch.rand(2, 1, 32, 32)
        >>> haar_psi(image, image).numpy().round(6)
        array([1., 1.])
    """
    if pred.ndim != 4 or pred.shape[1] != 1 or pred.shape != target.shape:
        raise ValueError(
            f"pred has shape {tuple(pred.shape)} and target {tuple(target.shape)}: give both (N, 1, H, W)."
        )
    if min(pred.shape[2:]) < MIN_SIZE:
        raise ValueError(f"pred is {tuple(pred.shape[2:])} pixels: give at least {MIN_SIZE} along each axis.")
    if c <= 0 or alpha <= 0:
        raise ValueError(f"c is {c} and alpha is {alpha}: give values above 0.")
    of_pred, of_target = _haar_magnitudes(pred), _haar_magnitudes(target)
    similarity = (2 * of_pred * of_target + c) / (of_pred**2 + of_target**2 + c)
    local = similarity[:, :, :2].mean(dim=2)  # (N, orientation, H / 2, W / 2)
    weight = torch.maximum(of_pred[:, :, 2], of_target[:, :, 2])
    total = weight.sum(dim=(1, 2, 3))
    # Two black images have no structure to weigh, and nothing by which they differ.
    blank = total == 0
    mean = (torch.sigmoid(alpha * local) * weight).sum(dim=(1, 2, 3)) / torch.where(blank, 1, total)
    return torch.where(blank, 1, (torch.logit(mean) / alpha) ** 2)


def _haar_magnitudes(image: Tensor) -> Tensor:
    """Magnitude of the Haar coefficients, shape (N, orientation, scale, H / 2, W / 2)."""
    image = _convolve_same(image.double() * GRAY_LEVELS, torch.full((2, 2), 0.25))[..., ::2, ::2]
    scales = []
    for scale in (1, 2, 3):
        size = 2**scale
        kernel = torch.full((size, size), 2.0**-scale)
        kernel[: size // 2] *= -1
        scales.append(
            torch.cat([_convolve_same(image, kernel), _convolve_same(image, kernel.T)], dim=1).abs()
        )
    return torch.stack(scales, dim=2)


def _convolve_same(image: Tensor, kernel: Tensor) -> Tensor:
    """MATLAB's `conv2(image, kernel, 'same')` for a square kernel of even size."""
    half = kernel.shape[0] // 2
    padded = F.pad(image, (half - 1, half, half - 1, half))
    return F.conv2d(padded, kernel.flip(0, 1).to(image)[None, None])


class HaarPSIMetric(RegressionMetric):
    """`haar_psi` as a MONAI metric, for handlers and bundles.

    Args:
        c: as in `haar_psi`.
        alpha: as in `haar_psi`.
        reduction: how MONAI reduces the images' values.
        get_not_nans: whether `aggregate()` also returns how many values were counted.

    Example:
        >>> image = torch.rand(2, 1, 32, 32)
        >>> HaarPSIMetric()(image, image).shape
        torch.Size([2, 1])
    """

    def __init__(
        self,
        c: float = C_MEDICAL,
        alpha: float = ALPHA_MEDICAL,
        reduction: MetricReduction | str = MetricReduction.MEAN,
        get_not_nans: bool = False,
    ) -> None:
        super().__init__(reduction=reduction, get_not_nans=get_not_nans)
        self.c = c
        self.alpha = alpha

    def _compute_metric(self, y_pred: Tensor, y: Tensor) -> Tensor:
        return haar_psi(y_pred, y, self.c, self.alpha)[:, None]
