"""Intensity normalisation and its exact inverse; grayscale for feature networks."""

from __future__ import annotations

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.transforms import Compose, NormalizeIntensity, RepeatChannel, Transform
from monai.utils import convert_data_type, convert_to_dst_type

from monai_sr.imagenet import IMAGENET_MEAN, IMAGENET_STD
from monai_sr.intensity import LOWER_PERCENTILE, UPPER_PERCENTILE, IntensityRange


class RobustNormalize(Transform):
    """Map two percentiles of an image to 0 and 1, keeping what lies outside.

    Args:
        lower: percentile mapped to 0, in [0, 100].
        upper: percentile mapped to 1, in [0, 100].

    Example:
        >>> RobustNormalize(0, 100)(np.array([[[2.0, 4.0, 3.0]]])).tolist()
        [[[0.0, 1.0, 0.5]]]
    """

    def __init__(self, lower: float = LOWER_PERCENTILE, upper: float = UPPER_PERCENTILE) -> None:
        self.lower = lower
        self.upper = upper

    def range_of(self, img: NdarrayOrTensor) -> IntensityRange:
        """The range that the image's percentiles span.

        Args:
            img: any shape, finite intensities in any unit.

        Returns:
            The range, with which `RestoreIntensity` undoes the normalisation.
        """
        array, *_ = convert_data_type(img, np.ndarray)
        return IntensityRange.from_array(array, self.lower, self.upper)

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Normalise.

        Args:
            img: any shape, intensities in any unit.

        Returns:
            float32 image of the same shape, type and device, about [0, 1], not clipped.
        """
        array, *_ = convert_data_type(img, np.ndarray)
        normalized = self.range_of(img).normalize(array).astype(np.float32)
        return convert_to_dst_type(torch.from_numpy(normalized), img, dtype=torch.float32)[0]


class RestoreIntensity(Transform):
    """The way back from `RobustNormalize`.

    Args:
        intensity_range: the range that `RobustNormalize.range_of` gave.
    """

    def __init__(self, intensity_range: IntensityRange) -> None:
        self.intensity_range = intensity_range

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Restore.

        Args:
            img: normalised image of any shape.

        Returns:
            float64 image in the original's unit, not rounded: stored integers come back exactly by rounding.
        """
        array, *_ = convert_data_type(img, np.ndarray)
        restored = torch.from_numpy(self.intensity_range.restore(array))
        return convert_to_dst_type(restored, img, dtype=torch.float64)[0]


class GrayscaleToImageNet(Transform):
    """One channel in [0, 1] to three with ImageNet's statistics, as feature networks expect.

    Example:
        >>> GrayscaleToImageNet()(torch.zeros(1, 2, 2)).shape
        torch.Size([3, 2, 2])
    """

    def __init__(self) -> None:
        self.steps = Compose(
            [
                RepeatChannel(3),
                NormalizeIntensity(
                    subtrahend=np.asarray(IMAGENET_MEAN), divisor=np.asarray(IMAGENET_STD), channel_wise=True
                ),
            ]
        )

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Repeat and normalise.

        Args:
            img: shape (1, ...), intensities in [0, 1].

        Returns:
            Image of shape (3, ...).

        Raises:
            ValueError: if there is not exactly one channel.
        """
        if img.shape[0] != 1:
            raise ValueError(f"img must have one channel, got {img.shape[0]}.")
        out: NdarrayOrTensor = self.steps(img)
        return out
