"""How finer images become coarser, about the centre of the field of view: linear maps of tensors."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

SPOT_SIGMA = 0.7
"""Standard deviation of an OCT beam across, in high-resolution pixels."""


def bicubic(img: Tensor, scale_factor: int, blur_sigma: float = 0.0) -> Tensor:
    """Antialiased bicubic down-sampling, see `monai_sr.transforms.BicubicDownsample`.

    Args:
        img: float32, shape (C, H, W), H and W multiples of `scale_factor`.
        scale_factor: how many times coarser.
        blur_sigma: standard deviation of a Gaussian applied before, in high-resolution pixels.

    Returns:
        Shape (C, H / scale_factor, W / scale_factor).
    """
    size = [img.shape[-2] // scale_factor, img.shape[-1] // scale_factor]
    blurred = gaussian_blur(img, blur_sigma)[None]
    return F.interpolate(blurred, size=size, mode="bicubic", antialias=True, align_corners=False)[0]


def kspace(img: Tensor, scale_factor: int, apodization: float = 0.0) -> Tensor:
    """The centre of k-space alone, see `monai_sr.transforms.KSpaceTruncate`.

    Args:
        img: as for `bicubic`.
        scale_factor: how many times coarser.
        apodization: 0 keeps the centre as it is, 1 weighs it with a Hann window.

    Returns:
        Shape (C, H / scale_factor, W / scale_factor).
    """
    for axis in (-2, -1):
        size = img.shape[axis] // scale_factor
        frequency = torch.fft.fftshift(torch.fft.fftfreq(size, device=img.device))
        window = 1 - apodization * 0.5 * (1 - torch.cos(2 * math.pi * frequency))
        img = truncate_spectrum(img, scale_factor, axis, window)
    return img


def binning(img: Tensor, scale_factor: int, blur_sigma: float = 0.0) -> Tensor:
    """Neighbouring pixels read out as one, see `monai_sr.transforms.DetectorBinning`.

    Args:
        img: as for `bicubic`.
        scale_factor: how many pixels are binned along each axis.
        blur_sigma: standard deviation of a Gaussian applied before, in high-resolution pixels.

    Returns:
        Shape (C, H / scale_factor, W / scale_factor).
    """
    return F.avg_pool2d(gaussian_blur(img, blur_sigma)[None], scale_factor)[0]


def oct_sampling(img: Tensor, scale_factor: int, spot_sigma: float = SPOT_SIGMA) -> Tensor:
    """Fewer A-scans, a narrower source spectrum in depth, see `monai_sr.transforms.OCTSampling`.

    Args:
        img: as for `bicubic`.
        scale_factor: how many times fewer A-scans and depth samples.
        spot_sigma: standard deviation of the beam across, in high-resolution pixels.

    Returns:
        Shape (C, H / scale_factor, W / scale_factor).
    """
    size = img.shape[-2] // scale_factor
    frequency = torch.fft.fftshift(torch.fft.fftfreq(size, device=img.device))
    source = torch.exp(-2 * (frequency / 0.5) ** 2)
    img = truncate_spectrum(img, scale_factor, -2, source)
    return gaussian_sample(img, spot_sigma, -1, scale_factor)


KERNELS: dict[str, Callable[..., Tensor]] = {
    "bicubic": bicubic,
    "kspace": kspace,
    "binning": binning,
    "oct": oct_sampling,
}
"""By short names; called with an image and the scale factor alone, each is a linear map."""


def gaussian_blur(img: Tensor, sigma: float) -> Tensor:
    """Blur with a symmetric Gaussian, the borders extended by their own values.

    Args:
        img: shape (C, H, W).
        sigma: standard deviation in pixels; 0 leaves the image as it is.

    Returns:
        Blurred image of the same shape.
    """
    if sigma == 0:
        return img
    for axis in (-2, -1):
        img = gaussian_sample(img, sigma, axis, stride=1)
    return img


def gaussian_sample(img: Tensor, sigma: float, axis: int, stride: int) -> Tensor:
    """Gaussian average about the centre of each group of `stride` pixels along one axis.

    Args:
        img: shape (C, H, W).
        sigma: standard deviation in pixels, above 0.
        axis: -2 or -1.
        stride: pixels in a group, which become one.

    Returns:
        Image, `stride` times coarser along `axis`.
    """
    lines = img.movedim(axis, -1)
    reach = math.ceil(3 * sigma)
    # An even group's centre lies between two pixels, so the taps are counted from there.
    offsets = torch.arange(-reach, stride + reach, dtype=img.dtype, device=img.device) - (stride - 1) / 2
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    padded = F.pad(lines.reshape(-1, 1, lines.shape[-1]), (reach, reach), mode="replicate")
    out = F.conv1d(padded, (kernel / kernel.sum())[None, None], stride=stride)
    return out.reshape(*lines.shape[:-1], -1).movedim(-1, axis)


def truncate_spectrum(img: Tensor, scale_factor: int, axis: int, window: Tensor) -> Tensor:
    """Keep the lowest 1 / scale_factor of the spectrum along one axis and sample it that much coarser.

    A plain crop keeps the first pixel's centre in place and so moves the field of view by
    (scale_factor - 1) / 2 pixels; the phase ramp moves it back.

    Args:
        img: shape (C, H, W), real.
        scale_factor: how many times coarser.
        axis: -2 or -1.
        window: weights of the kept frequencies from the lowest to the highest, shape (size,), centred.

    Returns:
        Real image, coarser along `axis`.
    """
    size = img.shape[axis] // scale_factor
    spectrum = torch.fft.fftshift(torch.fft.fft(img.movedim(axis, -1)), dim=-1)
    first = img.shape[axis] // 2 - size // 2
    kept = spectrum[..., first : first + size] * window
    frequency = torch.fft.fftshift(torch.fft.fftfreq(size, device=img.device)) / scale_factor
    kept = kept * torch.exp(1j * math.pi * frequency * (scale_factor - 1))
    out: Tensor = torch.fft.ifft(torch.fft.ifftshift(kept, dim=-1)).real / scale_factor
    return out.movedim(-1, axis).to(img.dtype)
