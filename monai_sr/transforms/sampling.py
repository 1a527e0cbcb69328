"""Deterministic low-resolution sampling, always about the centre of the field of view."""

from __future__ import annotations

import math

import torch
from monai.config import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import convert_data_type, convert_to_dst_type
from torch import Tensor
from torch.nn import functional as F

from monai_sr.transforms.checks import not_negative

VERSION = "1"  # of all degradations together; part of every bundle's metadata


class Downsample(Transform):
    """Common part of the degradations: checks, types, shapes.

    Args:
        scale_factor: how many times coarser the sampling becomes along each axis, at least 2.

    Raises:
        ValueError: if `scale_factor` is below 2.
    """

    def __init__(self, scale_factor: int) -> None:
        if scale_factor < 2:
            raise ValueError(f"scale_factor must be 2 or more, got {scale_factor}.")
        self.scale_factor = scale_factor

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Degrade an image.

        Args:
            img: shape (C, H, W), float, H and W multiples of `scale_factor`.

        Returns:
            Image of shape (C, H / scale_factor, W / scale_factor), of the type and device of `img`, whose
            centre is the centre of `img`.

        Raises:
            ValueError: if the size is not a multiple of `scale_factor`.
        """
        height, width = img.shape[-2:]
        if height % self.scale_factor or width % self.scale_factor:
            raise ValueError(
                f"img of {height} x {width} is not a multiple of scale_factor {self.scale_factor}: "
                "apply CropToMultiple first."
            )
        tensor, *_ = convert_data_type(img, torch.Tensor, dtype=torch.float32)
        return convert_to_dst_type(self.sample(tensor), img, dtype=torch.float32)[0]

    def sample(self, img: Tensor) -> Tensor:
        """Degrade a float32 tensor of shape (C, H, W)."""
        raise NotImplementedError


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


class BicubicDownsample(Downsample):
    """Antialiased bicubic down-sampling, the literature's kernel (Keys, a = -0.5, as in MATLAB and PIL).

    Args:
        scale_factor: how many times coarser, at least 2.
        blur_sigma: standard deviation of a Gaussian applied before, in high-resolution pixels.

    Raises:
        ValueError: if `blur_sigma` is negative.

    Example:
        >>> BicubicDownsample(2)(torch.ones(1, 4, 6)).shape
        torch.Size([1, 2, 3])
    """

    def __init__(self, scale_factor: int, blur_sigma: float = 0.0) -> None:
        super().__init__(scale_factor)
        self.blur_sigma = not_negative("blur_sigma", blur_sigma)

    def sample(self, img: Tensor) -> Tensor:
        """Degrade a float32 tensor of shape (C, H, W)."""
        size = [img.shape[-2] // self.scale_factor, img.shape[-1] // self.scale_factor]
        blurred = gaussian_blur(img, self.blur_sigma)[None]
        return F.interpolate(blurred, size=size, mode="bicubic", antialias=True, align_corners=False)[0]


class KSpaceTruncate(Downsample):
    """MRI: the centre of k-space alone is acquired.

    Args:
        scale_factor: how many times coarser, at least 2.
        apodization: 0 keeps the centre as it is (Gibbs ringing included), 1 weighs it with a Hann window.

    Raises:
        ValueError: if `apodization` is outside [0, 1].
    """

    def __init__(self, scale_factor: int, apodization: float = 0.0) -> None:
        super().__init__(scale_factor)
        if not 0 <= apodization <= 1:
            raise ValueError(f"apodization must be in [0, 1], got {apodization}.")
        self.apodization = apodization

    def sample(self, img: Tensor) -> Tensor:
        """Degrade a float32 tensor of shape (C, H, W)."""
        for axis in (-2, -1):
            size = img.shape[axis] // self.scale_factor
            frequency = torch.fft.fftshift(torch.fft.fftfreq(size, device=img.device))
            window = 1 - self.apodization * 0.5 * (1 - torch.cos(2 * math.pi * frequency))
            img = truncate_spectrum(img, self.scale_factor, axis, window)
        return img


class DetectorBinning(Downsample):
    """X-ray: neighbouring detector elements are read out as one.

    Args:
        scale_factor: how many elements are binned along each axis, at least 2.
        blur_sigma: spread of light in the scintillator, standard deviation in high-resolution pixels.

    Raises:
        ValueError: if `blur_sigma` is negative.
    """

    def __init__(self, scale_factor: int, blur_sigma: float = 0.0) -> None:
        super().__init__(scale_factor)
        self.blur_sigma = not_negative("blur_sigma", blur_sigma)

    def sample(self, img: Tensor) -> Tensor:
        """Degrade a float32 tensor of shape (C, H, W)."""
        return F.avg_pool2d(gaussian_blur(img, self.blur_sigma)[None], self.scale_factor)[0]


class OCTSampling(Downsample):
    """OCT B-scan: fewer A-scans across, a narrower source spectrum in depth.

    Depth runs along the rows (H), A-scans along the columns (W). The source spectrum is Gaussian, cut where
    its weight falls to exp(-2).

    Args:
        scale_factor: how many times fewer A-scans and depth samples, at least 2.
        spot_sigma: standard deviation of the beam across, in high-resolution pixels; an A-scan sees the
            tissue under the beam only, so that fewer of them alias.

    Raises:
        ValueError: if `spot_sigma` is not above 0.
    """

    def __init__(self, scale_factor: int, spot_sigma: float = 0.7) -> None:
        super().__init__(scale_factor)
        if spot_sigma <= 0:
            raise ValueError(f"spot_sigma must be above 0, got {spot_sigma}.")
        self.spot_sigma = spot_sigma

    def sample(self, img: Tensor) -> Tensor:
        """Degrade a float32 tensor of shape (C, H, W)."""
        size = img.shape[-2] // self.scale_factor
        frequency = torch.fft.fftshift(torch.fft.fftfreq(size, device=img.device))
        source = torch.exp(-2 * (frequency / 0.5) ** 2)
        img = truncate_spectrum(img, self.scale_factor, -2, source)
        return gaussian_sample(img, self.spot_sigma, -1, self.scale_factor)
