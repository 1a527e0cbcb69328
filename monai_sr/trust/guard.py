"""A volume held against what a bundle was trained on, before it is super-resolved."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_sr.errors import InputError
from monai_sr.intensity import IntensityRange
from monai_sr.trust.appearance import appearance
from monai_sr.trust.domain import Domain
from monai_sr.volume import Volume, fill_nearest

FRAMES = 8
"""Frames that are looked at, evenly spaced."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Findings:
    """What speaks against super-resolving a volume by a bundle.

    Args:
        outside: where it is not like the training images.
        misfit: why it cannot come of the bundle's degradation; empty where nothing says so.
        compared: what was held against the training images, with its numbers; empty without a domain.
    """

    outside: tuple[str, ...] = ()
    misfit: str = ""
    compared: str = ""

    @property
    def fits(self) -> bool:
        """Whether nothing speaks against the degradation."""
        return not self.misfit

    @property
    def told(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.outside, *filter(None, [self.misfit]))


class DomainGuard:
    """Say, or refuse, what lies outside the domain of a bundle.

    Args:
        domain: of its training images; nothing is found without one.
        scale_factor: of the network.
        kernel: short name of the degradation, or None.
        enforce: whether agreement with the source by that degradation is asked for.
        strict: refuse rather than warn.

    Example:
        >>> import numpy as np
        >>> from monai_sr.volume import Source, Volume
        >>> from pathlib import Path
        >>> one = np.ones(1), np.zeros(1), (0, 255)
        >>> volume = Volume(np.zeros((1, 8, 8), np.uint8), np.eye(4), *one, Source(), Path("scan.png"))
        >>> DomainGuard(None, 2)(volume, IntensityRange(0, 255))
        Findings(outside=(), misfit='', compared='')
    """

    def __init__(
        self,
        domain: Domain | None,
        scale_factor: int,
        kernel: str | None = None,
        enforce: bool = False,
        strict: bool = False,
    ) -> None:
        self._domain, self._scale_factor, self._kernel = domain, scale_factor, kernel
        self._enforce, self._strict = enforce, strict

    @classmethod
    def of_bundle(
        cls, card: Mapping[str, Any], scale_factor: int, kernel: str | None, enforce: bool, strict: bool
    ) -> DomainGuard:
        """The guard of a bundle.

        Args:
            card: content of its metadata.
            scale_factor: as of the constructor, like the rest.
            kernel: likewise.
            enforce: likewise.
            strict: likewise.

        Returns:
            The guard.

        Raises:
            InputError: if the card's domain cannot be read, or `strict` is asked for and it has none.
        """
        domain = Domain.from_card(card)
        if strict and domain is None:
            raise InputError(
                f"Bundle {card.get('name')} states no domain to be strict about: leave strict out."
            )
        return cls(domain, scale_factor, kernel, enforce, strict)

    def __call__(self, volume: Volume, intensity_range: IntensityRange) -> Findings:
        """Look at a volume, and warn of what is found.

        Args:
            volume: what is to be super-resolved; some frames are read once more.
            intensity_range: of all its pixels, in real values.

        Returns:
            What was found.

        Raises:
            InputError: if it lies outside, and that is to be refused.
        """
        if self._domain is None:
            return Findings()
        found = appearance(sample_frames(volume, intensity_range))
        seen = [found] if found else []
        if found and self._domain.inverted:
            seen.append(appearance(1 - frame for frame in sample_frames(volume, intensity_range)))
        outside = self._domain.compare(volume, seen, self._scale_factor)
        if self._strict and outside:
            raise InputError(
                f"{volume.path} is not like what the bundle was trained on ({'; '.join(outside)}): take "
                "another bundle, or leave out --strict."
            )
        for text in outside:
            _logger.warning("%s is not like what the bundle was trained on: %s", volume.path, text)
        misfit = self._domain.misfit(found, self._scale_factor, self._kernel) if self._kernel else ""
        if misfit and self._enforce:
            misfit += ", so it was not enforced"
            _logger.warning("%s: %s", volume.path, misfit)
        compared = [self._domain.describe(seen)]
        if self._kernel:
            compared.append(self._domain.describe_edges(found, self._scale_factor, self._kernel))
        return Findings(outside, misfit, "; ".join(filter(None, compared)))


def sample_frames(volume: Volume, intensity_range: IntensityRange) -> Iterator[NDArray[np.float64]]:
    """Some frames of a volume as a network gets them.

    Args:
        volume: in stored values.
        intensity_range: of all its pixels, in real values.

    Yields:
        Intensities about [0, 1], shape (H, W).
    """
    count = len(volume.array)
    for index in sorted({int((place + 0.5) * count / FRAMES) for place in range(FRAMES)}):
        empty = volume.without_image(index)
        if not empty.all():
            yield intensity_range.normalize(fill_nearest(volume.real_frame(index), empty))
