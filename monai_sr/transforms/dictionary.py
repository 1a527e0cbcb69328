"""The transforms for dictionaries, as MONAI's `d` variants: the array class applied to some keys."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable

from monai_sr.intensity import LOWER_PERCENTILE, UPPER_PERCENTILE, IntensityRange
from monai_sr.transforms import noise, random, sampling
from monai_sr.transforms.intensity import GrayscaleToImageNet, RestoreIntensity, RobustNormalize
from monai_sr.transforms.spatial import CropToMultiple

Item = dict[Hashable, Any]


class Twind(MapTransform):
    """An array transform applied to each key.

    Args:
        keys: keys of images.
        transform: the array transform.
        allow_missing_keys: whether a key may be absent.
    """

    def __init__(
        self, keys: KeysCollection, transform: Callable[[Any], Any], allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = transform

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Apply to a copy of an item."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key] = self.transform(item[key])
        return item


class RandTwind(Randomizable, MapTransform):
    """A random array transform, drawn once and applied to each key.

    Args:
        keys: keys of images.
        transform: the random array transform.
        allow_missing_keys: whether a key may be absent.
    """

    def __init__(
        self, keys: KeysCollection, transform: random.RandTwin, allow_missing_keys: bool = False
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        self.transform = transform

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> RandTwind:
        """Seed the draw, as MONAI's `Compose` and loaders do."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Draw once and apply to a copy of an item."""
        item = dict(data)
        drawn = self.transform.draw()
        for key in self.key_iterator(item):
            item[key] = drawn(item[key])
        return item


class BicubicDownsampled(Twind):
    """`BicubicDownsample` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        scale_factor: int,
        blur_sigma: float = 0.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, sampling.BicubicDownsample(scale_factor, blur_sigma), allow_missing_keys)


class KSpaceTruncated(Twind):
    """`KSpaceTruncate` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        scale_factor: int,
        apodization: float = 0.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, sampling.KSpaceTruncate(scale_factor, apodization), allow_missing_keys)


class DetectorBinningd(Twind):
    """`DetectorBinning` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        scale_factor: int,
        blur_sigma: float = 0.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, sampling.DetectorBinning(scale_factor, blur_sigma), allow_missing_keys)


class OCTSamplingd(Twind):
    """`OCTSampling` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        scale_factor: int,
        spot_sigma: float = 0.7,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, sampling.OCTSampling(scale_factor, spot_sigma), allow_missing_keys)


class RicianNoised(Twind):
    """`RicianNoise` on the images of some keys; same arguments."""

    def __init__(
        self, keys: KeysCollection, std: float, seed: int = 0, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, noise.RicianNoise(std, seed), allow_missing_keys)


class PoissonGaussianNoised(Twind):
    """`PoissonGaussianNoise` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        photons: float,
        std: float = 0.0,
        seed: int = 0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, noise.PoissonGaussianNoise(photons, std, seed), allow_missing_keys)


class SpeckleNoised(Twind):
    """`SpeckleNoise` on the images of some keys; same arguments."""

    def __init__(
        self, keys: KeysCollection, looks: float, seed: int = 0, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, noise.SpeckleNoise(looks, seed), allow_missing_keys)


class RandBicubicDownsampled(RandTwind):
    """`RandBicubicDownsample` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        scale_factor: int,
        blur_sigma: random.Range = (0.0, 0.8),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, random.RandBicubicDownsample(scale_factor, blur_sigma), allow_missing_keys)


class RandKSpaceTruncated(RandTwind):
    """`RandKSpaceTruncate` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        scale_factor: int,
        apodization: random.Range = (0.0, 1.0),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, random.RandKSpaceTruncate(scale_factor, apodization), allow_missing_keys)


class RandDetectorBinningd(RandTwind):
    """`RandDetectorBinning` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        scale_factor: int,
        blur_sigma: random.Range = (0.0, 0.8),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, random.RandDetectorBinning(scale_factor, blur_sigma), allow_missing_keys)


class RandOCTSamplingd(RandTwind):
    """`RandOCTSampling` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        scale_factor: int,
        spot_sigma: random.Range = (0.5, 1.2),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, random.RandOCTSampling(scale_factor, spot_sigma), allow_missing_keys)


class RandRicianNoised(RandTwind):
    """`RandRicianNoise` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.1,
        std: random.Range = (0.0, 0.02),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, random.RandRicianNoise(prob, std), allow_missing_keys)


class RandPoissonGaussianNoised(RandTwind):
    """`RandPoissonGaussianNoise` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.1,
        photons: random.Range = (1e3, 1e5),
        std: random.Range = (0.0, 0.01),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, random.RandPoissonGaussianNoise(prob, photons, std), allow_missing_keys)


class RandSpeckleNoised(RandTwind):
    """`RandSpeckleNoise` on the images of some keys; same arguments."""

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.1,
        looks: random.Range = (8.0, 64.0),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, random.RandSpeckleNoise(prob, looks), allow_missing_keys)


class GrayscaleToImageNetd(Twind):
    """`GrayscaleToImageNet` on the images of some keys; same arguments."""

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, GrayscaleToImageNet(), allow_missing_keys)


class CropToMultipled(Twind):
    """`CropToMultiple` on the images of some keys; same arguments."""

    def __init__(self, keys: KeysCollection, scale_factor: int, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, CropToMultiple(scale_factor), allow_missing_keys)


class RobustNormalized(MapTransform):
    """`RobustNormalize` on the images of some keys; keeps each range for the way back.

    The range of key `image` is stored as `image_range`, a float64 tensor (lower, upper).

    Args:
        keys: keys of images.
        lower: percentile mapped to 0, in [0, 100].
        upper: percentile mapped to 1, in [0, 100].
        allow_missing_keys: whether a key may be absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        lower: float = LOWER_PERCENTILE,
        upper: float = UPPER_PERCENTILE,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.normalize = RobustNormalize(lower, upper)

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Normalise in a copy of an item."""
        item = dict(data)
        for key in self.key_iterator(item):
            found = self.normalize.range_of(item[key])
            item[f"{key}_range"] = torch.tensor([found.lower, found.upper], dtype=torch.float64)
            item[key] = self.normalize(item[key])
        return item


class RestoreIntensityd(MapTransform):
    """`RestoreIntensity` on the images of some keys.

    Args:
        keys: keys of normalised images.
        range_key: key of the range that `RobustNormalized` kept, such as `image_range`.
        allow_missing_keys: whether a key may be absent.
    """

    def __init__(self, keys: KeysCollection, range_key: str, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.range_key = range_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Restore in a copy of an item."""
        item = dict(data)
        lower, upper = (float(bound) for bound in item[self.range_key])
        for key in self.key_iterator(item):
            item[key] = RestoreIntensity(IntensityRange(lower, upper))(item[key])
        return item
