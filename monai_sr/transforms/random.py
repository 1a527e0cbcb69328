"""Random degradations: each draws the parameters of its deterministic twin and delegates to it."""

from __future__ import annotations

from collections.abc import Sequence

from monai.config import NdarrayOrTensor
from monai.transforms import Identity, Randomizable, Transform

from monai_sr.transforms.checks import interval, probability
from monai_sr.transforms.noise import PoissonGaussianNoise, RicianNoise, SpeckleNoise
from monai_sr.transforms.sampling import BicubicDownsample, DetectorBinning, KSpaceTruncate, OCTSampling

Range = Sequence[float]


class RandTwin(Randomizable, Transform):
    """Common part: draw a deterministic transform, then apply it."""

    def draw(self) -> Transform:
        """The deterministic transform for one image."""
        raise NotImplementedError

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Degrade one image as the deterministic twin does."""
        out: NdarrayOrTensor = self.draw()(img)
        return out

    def uniform(self, bounds: Range) -> float:
        """Draw from an interval given as (least, greatest)."""
        return float(self.R.uniform(bounds[0], bounds[1]))

    def seed(self) -> int:
        """Draw a seed for a noise."""
        return int(self.R.randint(2**31))


class RandNoise(RandTwin):
    """Common part of the random noises.

    Args:
        prob: how often noise is added at all, in [0, 1].

    Raises:
        ValueError: if `prob` is no probability.
    """

    def __init__(self, prob: float) -> None:
        self.prob = probability("prob", prob)

    def draw(self) -> Transform:
        """The noise for one image, or none."""
        return self.draw_noise() if self.R.rand() < self.prob else Identity()

    def draw_noise(self) -> Transform:
        """The noise for one image."""
        raise NotImplementedError


class RandBicubicDownsample(RandTwin):
    """`BicubicDownsample` with a random blur.

    Args:
        scale_factor: how many times coarser.
        blur_sigma: least and greatest standard deviation in high-resolution pixels.

    Raises:
        ValueError: if the interval is out of order.
    """

    def __init__(self, scale_factor: int, blur_sigma: Range = (0.0, 0.8)) -> None:
        self.scale_factor = scale_factor
        self.blur_sigma = interval("blur_sigma", blur_sigma)

    def draw(self) -> BicubicDownsample:
        """The sampling for one image."""
        return BicubicDownsample(self.scale_factor, self.uniform(self.blur_sigma))


class RandKSpaceTruncate(RandTwin):
    """`KSpaceTruncate` with a random apodization.

    Args:
        scale_factor: how many times coarser.
        apodization: least and greatest weight of the window.

    Raises:
        ValueError: if the interval is out of order.
    """

    def __init__(self, scale_factor: int, apodization: Range = (0.0, 1.0)) -> None:
        self.scale_factor = scale_factor
        self.apodization = interval("apodization", apodization)

    def draw(self) -> KSpaceTruncate:
        """The sampling for one image."""
        return KSpaceTruncate(self.scale_factor, self.uniform(self.apodization))


class RandDetectorBinning(RandTwin):
    """`DetectorBinning` with a random blur.

    Args:
        scale_factor: how many elements are binned along each axis.
        blur_sigma: least and greatest standard deviation in high-resolution pixels.

    Raises:
        ValueError: if the interval is out of order.
    """

    def __init__(self, scale_factor: int, blur_sigma: Range = (0.0, 0.8)) -> None:
        self.scale_factor = scale_factor
        self.blur_sigma = interval("blur_sigma", blur_sigma)

    def draw(self) -> DetectorBinning:
        """The sampling for one image."""
        return DetectorBinning(self.scale_factor, self.uniform(self.blur_sigma))


class RandOCTSampling(RandTwin):
    """`OCTSampling` with a random beam.

    Args:
        scale_factor: how many times fewer A-scans and depth samples.
        spot_sigma: least and greatest standard deviation of the beam, in high-resolution pixels.

    Raises:
        ValueError: if the interval is out of order.
    """

    def __init__(self, scale_factor: int, spot_sigma: Range = (0.5, 1.2)) -> None:
        self.scale_factor = scale_factor
        self.spot_sigma = interval("spot_sigma", spot_sigma)

    def draw(self) -> OCTSampling:
        """The sampling for one image."""
        return OCTSampling(self.scale_factor, self.uniform(self.spot_sigma))


class RandRicianNoise(RandNoise):
    """`RicianNoise` of random strength.

    Args:
        prob: how often noise is added at all, in [0, 1].
        std: least and greatest standard deviation.

    Raises:
        ValueError: if `prob` or an interval is out of order.
    """

    def __init__(self, prob: float = 0.1, std: Range = (0.0, 0.02)) -> None:
        super().__init__(prob)
        self.std = interval("std", std)

    def draw_noise(self) -> RicianNoise:
        """The noise for one image."""
        return RicianNoise(self.uniform(self.std), self.seed())


class RandPoissonGaussianNoise(RandNoise):
    """`PoissonGaussianNoise` of random strength.

    Args:
        prob: how often noise is added at all, in [0, 1].
        photons: least and greatest photons counted where the image is 1.
        std: least and greatest standard deviation of the read-out noise.

    Raises:
        ValueError: if `prob` or an interval is out of order.
    """

    def __init__(self, prob: float = 0.1, photons: Range = (1e3, 1e5), std: Range = (0.0, 0.01)) -> None:
        super().__init__(prob)
        self.photons = interval("photons", photons)
        self.std = interval("std", std)

    def draw_noise(self) -> PoissonGaussianNoise:
        """The noise for one image."""
        return PoissonGaussianNoise(self.uniform(self.photons), self.uniform(self.std), self.seed())


class RandSpeckleNoise(RandNoise):
    """`SpeckleNoise` of random strength.

    Args:
        prob: how often noise is added at all, in [0, 1].
        looks: least and greatest number of speckle patterns averaged.

    Raises:
        ValueError: if `prob` or an interval is out of order.
    """

    def __init__(self, prob: float = 0.1, looks: Range = (8.0, 64.0)) -> None:
        super().__init__(prob)
        self.looks = interval("looks", looks)

    def draw_noise(self) -> SpeckleNoise:
        """The noise for one image."""
        return SpeckleNoise(self.uniform(self.looks), self.seed())
