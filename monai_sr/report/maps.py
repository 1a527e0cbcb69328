"""Figure of where a super-resolved image cannot be believed."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from monai_sr.report.figures import BRIGHT_PERCENTILE

BRIGHT_PART = 99.0
"""Percentile of the omitted and hallucinated parts that is shown in full colour."""


def hallucination_figure(
    target: NDArray[Any], pred: NDArray[Any], split: NDArray[Any], cutoff: NDArray[Any], title: str
) -> Figure:
    """Original and super-resolution, beside maps of what was left out, made up, and of agreement.

    Args:
        target: original, shape (H, W).
        pred: super-resolved, of the same shape and unit.
        split: improved, omitted and hallucinated part of each patch, shape (3, P, Q), in the same unit.
        cutoff: up to which frequency each patch agrees, in units of the low-resolution Nyquist frequency,
            shape (R, S); NaN where there is nothing to compare.
        title: heading; must not name a patient.

    Returns:
        The figure.
    """
    height = min(max(target.shape[0] / target.shape[1], 0.5), 2)
    figure = Figure(figsize=(15, 3 * height + 1.1), layout="constrained")
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(1, 5)
    for axis in axes:
        axis.set_axis_off()
    extent = (-0.5, target.shape[1] - 0.5, target.shape[0] - 0.5, -0.5)

    def draw(axis: Axes, image: NDArray[Any], name: str, colours: str, low: float, high: float) -> AxesImage:
        axis.set_title(name, fontsize=9)
        return axis.imshow(image, cmap=colours, vmin=low, vmax=high, extent=extent, interpolation="nearest")

    dark, bright = float(target.min()), float(np.percentile(target, BRIGHT_PERCENTILE))
    draw(axes[0], target, "original", "gray", dark, bright)
    draw(axes[1], pred, "super-resolution", "gray", dark, bright)
    # One scale for both, or the smaller part would look as large.
    top = float(np.percentile(split[1:], BRIGHT_PART)) or 1.0
    draw(axes[2], split[1], "omitted", "magma", 0, top)
    parts = draw(axes[3], split[2], "hallucinated", "magma", 0, top)
    figure.colorbar(parts, ax=axes[2:4], location="bottom", shrink=0.8, label="unit of the images")
    agreement = draw(axes[4], np.ma.masked_invalid(cutoff), "agrees with the original up to", "RdYlGn", 0, 1)
    label = "low-resolution Nyquist frequency = 1"
    figure.colorbar(agreement, ax=axes[4], location="bottom", label=label)
    return figure
