"""Every metric of one super-resolved image, under one convention."""

from __future__ import annotations

import math
from typing import Any

from monai.metrics.regression import MultiScaleSSIMMetric, SSIMMetric
from torch import Tensor

from monai_sr.metrics.haar_psi import haar_psi
from monai_sr.metrics.power_spectrum import spectrum_error
from monai_sr.metrics.psnr import CappedPSNRMetric

DATA_RANGE = 1.0
MS_SSIM_MIN_SIZE = 176  # MONAI's smallest image for five scales of an 11-pixel window
MIN_SIZE = 16

METRICS = {
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "haar_psi": "HaarPSI",
    "spectrum_error": "spectrum error (dB)",
    "spectrum_error_high": "high spectrum error (dB)",
}


def image_quality(pred: Tensor, target: Tensor, scale_factor: int) -> dict[str, float]:
    """Score one gray image against its reference.

    PSNR, SSIM and MS-SSIM are MONAI's with data_range 1 and no border cropped. SSIM (Gaussian window of
    sigma 1.5 and 11 pixels, population covariance, averaged where the window lies inside the image) agrees
    with scikit-image's to 1e-4: MONAI's is in single precision.

    Args:
        pred: shape (H, W), values in [0, 1], at least 16 x 16.
        target: reference of the same shape and range.
        scale_factor: integer >= 1; sets the low-resolution Nyquist frequency of `spectrum_error_high`.

    Returns:
        Value for each key of `METRICS`. `psnr` is at most 100 dB, which identical images have; `ms_ssim` is
        NaN where a side is below 176 pixels.

    Raises:
        ValueError: if shapes differ, are not (H, W) or too small, or `scale_factor` < 1.

    Reference:
        Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, IEEE TIP 13(4),
        2004.

    Example:
        >>> import torch
        >>> image = torch.rand(32, 32)
        >>> scores = image_quality(image, image, scale_factor=2)
        >>> scores["psnr"], round(scores["haar_psi"], 6), scores["spectrum_error"]
        (100.0, 1.0, 0.0)
    """
    if pred.ndim != 2 or pred.shape != target.shape or min(pred.shape) < MIN_SIZE:
        raise ValueError(
            f"pred has shape {tuple(pred.shape)} and target {tuple(target.shape)}: "
            f"give both (H, W), at least {MIN_SIZE} x {MIN_SIZE}."
        )
    if scale_factor < 1:
        raise ValueError(f"scale_factor is {scale_factor}: give an integer of at least 1.")
    y_pred, y = pred.double()[None, None], target.double()[None, None]
    ms_ssim = math.nan
    if min(pred.shape) >= MS_SSIM_MIN_SIZE:
        ms_ssim = _value(MultiScaleSSIMMetric(spatial_dims=2, data_range=DATA_RANGE)(y_pred, y))
    return {
        "psnr": _value(CappedPSNRMetric(max_val=DATA_RANGE)(y_pred, y)),
        "ssim": _value(SSIMMetric(spatial_dims=2, data_range=DATA_RANGE)(y_pred, y)),
        "ms_ssim": ms_ssim,
        "haar_psi": _value(haar_psi(y_pred, y)),
        "spectrum_error": _value(spectrum_error(y_pred, y)),
        "spectrum_error_high": _value(spectrum_error(y_pred, y, min_frequency=0.5 / scale_factor)),
    }


def _value(scores: Any) -> float:
    """The one number in a metric's answer, which MONAI types as a tensor or a list of them."""
    return float(scores.reshape(()))
