"""Deterministic low-resolution sampling, always about the centre of the field of view."""

from __future__ import annotations

import torch
from monai.config import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import convert_data_type, convert_to_dst_type
from torch import Tensor

from monai_sr.degradation import SPOT_SIGMA, bicubic, binning, kspace, oct_sampling
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
        return bicubic(img, self.scale_factor, self.blur_sigma)


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
        return kspace(img, self.scale_factor, self.apodization)


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
        return binning(img, self.scale_factor, self.blur_sigma)


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

    def __init__(self, scale_factor: int, spot_sigma: float = SPOT_SIGMA) -> None:
        super().__init__(scale_factor)
        if spot_sigma <= 0:
            raise ValueError(f"spot_sigma must be above 0, got {spot_sigma}.")
        self.spot_sigma = spot_sigma

    def sample(self, img: Tensor) -> Tensor:
        """Degrade a float32 tensor of shape (C, H, W)."""
        return oct_sampling(img, self.scale_factor, self.spot_sigma)
