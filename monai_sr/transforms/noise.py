"""Noise of each modality, reproducible from a seed."""

from __future__ import annotations

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import convert_data_type, convert_to_dst_type

from monai_sr.transforms.checks import not_negative


class Noise(Transform):
    """Common part of the noises: seed and types.

    Args:
        seed: of the noise; the same seed gives the same noise.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Add noise.

        Args:
            img: any shape, intensities about [0, 1].

        Returns:
            float32 image of the same shape, type and device.
        """
        array, *_ = convert_data_type(img, np.ndarray, dtype=np.float32)
        noisy = self.apply(array, np.random.default_rng(self.seed))
        return convert_to_dst_type(torch.from_numpy(noisy.astype(np.float32)), img, dtype=torch.float32)[0]

    def apply(self, img: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Add noise drawn from `rng` to a float32 array."""
        raise NotImplementedError


class RicianNoise(Noise):
    """MRI: Gaussian noise in the real and the imaginary channel, then the magnitude.

    Args:
        std: standard deviation in each channel, on the scale of the image.
        seed: of the noise.

    Raises:
        ValueError: if `std` is negative.

    Reference:
        Gudbjartsson and Patz, "The Rician distribution of noisy MRI data", MRM 34, 1995.
    """

    def __init__(self, std: float, seed: int = 0) -> None:
        super().__init__(seed)
        self.std = not_negative("std", std)

    def apply(self, img: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Add noise drawn from `rng` to a float32 array."""
        real, imaginary = rng.normal(0.0, self.std, (2, *img.shape))
        noisy: np.ndarray = np.hypot(img + real, imaginary)
        return noisy


class PoissonGaussianNoise(Noise):
    """X-ray: counted photons and the electronics' read-out noise.

    Args:
        photons: photons counted where the image is 1; intensities below 0 count none.
        std: standard deviation of the read-out noise, on the scale of the image.
        seed: of the noise.

    Raises:
        ValueError: if `photons` is not above 0 or `std` is negative.
    """

    def __init__(self, photons: float, std: float = 0.0, seed: int = 0) -> None:
        super().__init__(seed)
        if photons <= 0:
            raise ValueError(f"photons must be above 0, got {photons}.")
        self.photons = photons
        self.std = not_negative("std", std)

    def apply(self, img: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Add noise drawn from `rng` to a float32 array."""
        counted: np.ndarray = rng.poisson(np.maximum(img, 0) * self.photons) / self.photons
        return counted + rng.normal(0.0, self.std, img.shape)


class SpeckleNoise(Noise):
    """OCT: multiplicative speckle, gamma distributed with mean 1.

    Args:
        looks: independent speckle patterns averaged; the speckle's standard deviation is looks ** -0.5.
        seed: of the noise.

    Raises:
        ValueError: if `looks` is not above 0.
    """

    def __init__(self, looks: float, seed: int = 0) -> None:
        super().__init__(seed)
        if looks <= 0:
            raise ValueError(f"looks must be above 0, got {looks}.")
        self.looks = looks

    def apply(self, img: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Add noise drawn from `rng` to a float32 array."""
        return img * rng.gamma(self.looks, 1.0 / self.looks, img.shape)
