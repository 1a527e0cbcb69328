"""Windows that a page offers, in real values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_sr.io.display import Display

AUTOMATIC = (0.5, 99.5)
"""Percentiles between which the automatic window lies."""


def choose_windows(
    values: NDArray[np.float64], extremes: Sequence[float], display: Display
) -> list[dict[str, Any]]:
    """Windows to choose from, the first of which is used; each by its bounds in real values.

    Args:
        values: finite real values of some pixels, may be none.
        extremes: least and greatest real value of all pixels.
        display: how the file asks to be shown.

    Returns:
        Name and bounds of each, for JSON.

    Example:
        >>> [window["name"] for window in choose_windows(np.arange(9.0), (0, 8), Display())]
        ['automatic', 'full range']
    """
    lower, upper = np.percentile(values, AUTOMATIC) if values.size else (0.0, 1.0)
    windows = [
        {"name": "automatic", "bounds": wide(lower, upper)},
        {"name": "full range", "bounds": wide(*extremes)},
    ]
    if display.centre is not None and display.width is not None:
        bounds = wide(display.centre - display.width / 2, display.centre + display.width / 2)
        windows.insert(0, {"name": "as the file asks", "bounds": bounds})
    return windows


def wide(lower: float, upper: float) -> list[float]:
    """Bounds that are not the same."""
    return [float(lower), float(upper if upper > lower else lower + 1)]
