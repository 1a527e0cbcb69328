"""How an image's power is spread over spatial frequencies, and how far that is from the reference's."""

from __future__ import annotations

import torch
from monai.metrics.regression import RegressionMetric
from monai.utils import MetricReduction
from torch import Tensor

from monai_sr.metrics.rings import ring_sums, windowed_spectrum

MIN_SIZE = 4
POWER_FLOOR = 1e-10  # variance of noise of 1e-5 of the range: below it, power is rounding, not image


def radial_power_spectrum(image: Tensor) -> tuple[Tensor, Tensor]:
    """Power against spatial frequency, averaged over rings about the zero frequency.

    The mean is removed and a Hann window applied, since the jump from one border to the opposite one would
    pass for high frequencies. White noise of variance v has power v at every frequency.

    Args:
        image: shape (N, 1, H, W), at least 4 x 4.

    Returns:
        Frequencies in cycles per pixel, shape (K,) with K = min(H, W) // 2, equally spaced up to 0.5 without
        zero; power, shape (N, K). Both are float64.

    Raises:
        ValueError: if `image` is not (N, 1, H, W) or is too small.

    Example:
        >>> frequencies, power = radial_power_spectrum(torch.rand(2, 1, 8, 12))
        >>> frequencies.tolist(), power.shape
        ([0.125, 0.25, 0.375, 0.5], torch.Size([2, 4]))
    """
    if image.ndim != 4 or image.shape[1] != 1 or min(image.shape[2:]) < MIN_SIZE:
        raise ValueError(
            f"image has shape {tuple(image.shape)}: give (N, 1, H, W), at least {MIN_SIZE} x {MIN_SIZE}."
        )
    spectrum, energy = windowed_spectrum(image[:, 0].double())
    frequencies, sums, counts = ring_sums(spectrum.abs() ** 2 / energy)
    return frequencies, sums / counts


def spectrum_error(pred: Tensor, target: Tensor, min_frequency: float = 0.0) -> Tensor:
    """Mean absolute ratio, in dB, between the radial power spectra of an image and its reference.

    Unlike PSNR, it is small for an image with the reference's amount of detail and large for a blurred one,
    whether or not the detail is in the right place.

    Args:
        pred: shape (N, 1, H, W), values in [0, 1].
        target: reference of the same shape and range.
        min_frequency: only frequencies from here up to 0.5 cycles per pixel are compared. 0.5 / scale_factor,
            the Nyquist frequency of the low-resolution image, leaves what super-resolution has to add.

    Returns:
        Error of each image in dB, shape (N,), 0 for equal spectra.

    Raises:
        ValueError: if shapes differ or `min_frequency` is outside [0, 0.5].

    Example:
        >>> target = torch.rand(1, 1, 16, 16)
        >>> round(spectrum_error(target / 10, target).item(), 3)
        20.0
    """
    if pred.shape != target.shape:
        raise ValueError(f"pred has shape {tuple(pred.shape)}: give target's, {tuple(target.shape)}.")
    if not 0 <= min_frequency <= 0.5:
        raise ValueError(f"min_frequency is {min_frequency}: give cycles per pixel in [0, 0.5].")
    frequencies, power = radial_power_spectrum(pred)
    _, reference = radial_power_spectrum(target)
    level, wanted = (10 * torch.log10(values.clamp_min(POWER_FLOOR)) for values in (power, reference))
    return (level - wanted).abs()[:, frequencies >= min_frequency].mean(dim=1)


class SpectrumErrorMetric(RegressionMetric):
    """`spectrum_error` as a MONAI metric, for handlers and bundles; lower is better.

    Args:
        min_frequency: as in `spectrum_error`.
        reduction: how MONAI reduces the images' values.
        get_not_nans: whether `aggregate()` also returns how many values were counted.

    Example:
        >>> image = torch.rand(2, 1, 16, 16)
        >>> SpectrumErrorMetric()(image, image).shape
        torch.Size([2, 1])
    """

    def __init__(
        self,
        min_frequency: float = 0.0,
        reduction: MetricReduction | str = MetricReduction.MEAN,
        get_not_nans: bool = False,
    ) -> None:
        super().__init__(reduction=reduction, get_not_nans=get_not_nans)
        self.min_frequency = min_frequency

    def _compute_metric(self, y_pred: Tensor, y: Tensor) -> Tensor:
        return spectrum_error(y_pred, y, self.min_frequency)[:, None]
