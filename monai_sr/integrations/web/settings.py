"""What a server offers and how much it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_sr.errors import InputError

MAX_FILES = 10_000
"""Most files of one upload, also inside a zip."""

_LABELS = {"MR": "MRI", "DX": "X-ray"}
"""What people call the modalities of the bundles' cards."""


@dataclass(frozen=True)
class Choice:
    """What a job is to be done with.

    Args:
        name: of the bundle.
        root: its folder.
        scale_factor: enlargement.
        alpha: share of the adversarial weights, or None for the bundle's own.
    """

    name: str
    root: Path
    scale_factor: int
    alpha: float | None

    def shown(self) -> dict[str, Any]:
        """The choice for the page, which need not know any path."""
        return {"bundle": self.name, "scale_factor": self.scale_factor, "alpha": self.alpha}


@dataclass(frozen=True)
class Offer:
    """A bundle as the page offers it.

    Args:
        name: on its card.
        root: its folder.
        modality: of the images that it was trained on, as its card names it.
        description: its card's.
        scale_factors: that it has weights for.
        mixes: whether it can be mixed from faithful to crisp, at every scale.
    """

    name: str
    root: Path
    modality: str
    description: str
    scale_factors: tuple[int, ...]
    mixes: bool

    def shown(self) -> dict[str, Any]:
        """The offer for the page, which need not know any path."""
        return {
            "name": self.name,
            "modality": self.modality,
            "label": _LABELS.get(self.modality, self.modality or "Other"),
            "description": self.description,
            "scale_factors": self.scale_factors,
            "mixes": self.mixes,
        }


@dataclass(frozen=True)
class Settings:
    """What a server offers and how much it takes.

    Args:
        offers: the bundles.
        max_upload: most bytes of one upload, also once it is unpacked.
        device: where to compute.
        memory: bytes that computing may take.
    """

    offers: tuple[Offer, ...]
    max_upload: int
    device: str
    memory: int

    def choose(self, wanted: dict[str, Any]) -> Choice:
        """What a request asks for.

        Args:
            wanted: its `bundle`, `scale_factor` and, perhaps, `alpha`.

        Returns:
            The choice.

        Raises:
            InputError: if that is not offered.
        """
        offer = next((offer for offer in self.offers if offer.name == wanted.get("bundle")), None)
        if offer is None:
            raise InputError("This bundle is not offered; choose one of the list")
        scale_factor, alpha = wanted.get("scale_factor"), wanted.get("alpha")
        if scale_factor not in offer.scale_factors:
            raise InputError(f"Bundle {offer.name} does not have this scale; choose another")
        if alpha is None:
            return Choice(offer.name, offer.root, int(scale_factor), None)
        if not offer.mixes or not isinstance(alpha, (int, float)) or not 0 <= alpha <= 1:
            raise InputError(f"Bundle {offer.name} cannot be mixed like this; leave the dial where it was")
        return Choice(offer.name, offer.root, int(scale_factor), float(alpha))
