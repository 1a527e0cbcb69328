"""Which bundles the page offers, and what it says of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from monai_sr.bundle import Bundle, weights_file
from monai_sr.errors import InputError
from monai_sr.integrations.web.settings import Offer


def offer(bundles: Iterable[Bundle]) -> tuple[Offer, ...]:
    """What the cards and the weights of bundles say.

    Args:
        bundles: to offer.

    Returns:
        An offer for each, by modality and name.

    Raises:
        InputError: if one has no weights or two have one name.
    """
    offers = sorted(
        map(_offer, bundles), key=lambda offer: (offer.modality != "MR", offer.modality, offer.name)
    )
    if len({offer.name for offer in offers}) < len(offers):
        raise InputError("Two of the bundles have one name: offer each bundle once.")
    return tuple(offers)


def _offer(bundle: Bundle) -> Offer:
    scales = tuple(bundle.scale_factors)
    if not scales:
        raise InputError(f"Bundle {bundle.name} has no weights: train them first, or offer another bundle.")
    image = bundle.card.get("network_data_format", {}).get("inputs", {}).get("image", {})
    return Offer(
        name=bundle.name,
        root=bundle.root,
        modality=str(image.get("modality", "")),
        # The page lets choose the scale, so that this need not name them.
        description=re.sub(r",? for x\d.*", ".", str(bundle.card.get("description", ""))),
        scale_factors=scales,
        mixes=all(weights_file(bundle.root, scale, "pixel").is_file() for scale in scales),
    )
