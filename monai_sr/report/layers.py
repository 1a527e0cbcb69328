"""Maps of a slice that tell where not to believe it: what each means, and from which value on it glows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_sr.report.comparison import Encoded

BRIGHT_PART = 99
"""Percentile of the values above 0 that is drawn in full colour."""


@dataclass(frozen=True)
class Layer:
    """A kind of map; black is well, and the brighter the more to mind.

    Args:
        title: of its view.
        meaning: in a sentence.
        scale: kinds of one scale are drawn by the same bounds, or the smaller would look as large.
        bounds: values that are black and brightest; None for 0 and what nearly all values lie below.
    """

    title: str
    meaning: str
    scale: str
    bounds: tuple[float, float] | None = None


LAYERS = {
    "interval": Layer(
        "Half-width of the interval",
        "In real values: the true value is stated to lie within the shown value ± half-width; how often, "
        "stands under Uncertainty.",
        "interval",
    ),
    "hallucinated": Layer(
        "Hallucinated",
        "What is neither in bicubic nor in the original, RMS of each patch, in the images' unit.",
        "error",
    ),
    "omitted": Layer(
        "Omitted",
        "What the original has and is still missing, RMS of each patch, in the images' unit.",
        "error",
    ),
    "cutoff": Layer(
        "Ring cut-off",
        "Frequency up to which a patch agrees with the original, in units of what low resolution can hold; "
        "gray where there is nothing to compare.",
        "cutoff",
        (1.0, 0.0),
    ),
}
"""Name in the page -> kind."""


@dataclass(frozen=True)
class DrawnLayer:
    """A kind of map as a page draws it.

    Args:
        layer: the kind.
        bounds: real values that are black and brightest.
    """

    layer: Layer
    bounds: tuple[float, float]

    @property
    def ends(self) -> tuple[str, str]:
        """Texts at the ends of its colour bar; beyond the larger end values look the same."""
        largest = max(self.bounds)
        first, last = (f"{value:.3g}" if value < largest else f"≥ {value:.3g}" for value in self.bounds)
        return first, last


def drawn_layers(slices: Sequence[Encoded]) -> dict[str, DrawnLayer]:
    """The maps that a page has, each by one scale in all slices.

    Args:
        slices: at least one.

    Returns:
        Name in the page -> how it is drawn.
    """
    present = {name for encoded in slices for name in encoded.maps}
    found = {}
    for name, layer in LAYERS.items():
        if name in present:
            alike = [other for other in present if LAYERS[other].scale == layer.scale]
            values = [encoded.maps[other] for encoded in slices for other in alike if other in encoded.maps]
            known = np.concatenate(values)
            # Where nothing is, as around a body, says nothing of how large values are.
            known = known[known > 0]
            top = float(np.percentile(known, BRIGHT_PART)) if known.size else 1.0
            found[name] = DrawnLayer(layer, layer.bounds or (0.0, top))
    return found
