"""Figures for reports, by matplotlib's objects alone: no window, no global state."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from monai_sr.report.parts import most_varied_part

Image = NDArray[Any]

BRIGHT_PERCENTILE = 99.5  # a few bright vessels or fat must not darken the rest
DPI = 150
INSET_FRACTION = 4  # the inset spans a quarter of the image along each axis
CURVE_COLUMNS = 4
INSET_COLOUR = "tab:orange"


def evaluation_figure(low: Image, bicubic: Image, sr: Image, target: Image, title: str = "") -> Figure:
    """Low resolution, bicubic, super-resolution and reference, above the two error maps on one scale.

    Args:
        low: shape (H, W), any intensity unit.
        bicubic: shape (s H, s W), same unit.
        sr: super-resolved image, shape (s H, s W), same unit.
        target: reference, shape (s H, s W), same unit.
        title: heading; must not name a patient.

    Returns:
        The figure.

    Raises:
        ValueError: if `bicubic`, `sr` and `target` differ in shape or `low` is not an integer times coarser.
    """
    _check_shapes(low, bicubic, sr, target)
    figure = _figure(4, 2, target.shape, title)
    axes = figure.subplots(2, 4)
    window = _window(target)
    images = {"low resolution": low, "bicubic": bicubic, "super-resolution": sr, "high resolution": target}
    for axis, (name, image) in zip(axes[0], images.items(), strict=True):
        _show(axis, image, window, name, target.shape)
    errors = {"bicubic": np.abs(bicubic - target), "super-resolution": np.abs(sr - target)}
    # One scale for both maps, or the worse one would look as good.
    top = max(float(np.percentile(error, BRIGHT_PERCENTILE)) for error in errors.values()) or 1.0
    for axis, (name, error) in zip(axes[1, 1:3], errors.items(), strict=True):
        shown = axis.imshow(error, cmap="magma", vmin=0, vmax=top, interpolation="nearest")
        axis.set_title(f"|{name} - high resolution|", fontsize=9)
    for axis in axes.flat:
        axis.set_axis_off()
    scale = axes[1, 3].inset_axes((0.02, 0.0, 0.06, 1.0))
    figure.colorbar(shown, cax=scale)
    # Above, since beside it a slice much wider than high would leave the words no room.
    scale.set_title("absolute error, unit of the images", fontsize=9, loc="left")
    return figure


def power_spectrum_figure(frequencies: Image, spectra: Mapping[str, Image], nyquist: float) -> Figure:
    """Radial power spectra on one logarithmic axis.

    Args:
        frequencies: in cycles per high-resolution pixel, shape (K,).
        spectra: name -> power, each of shape (K,) and above 0.
        nyquist: Nyquist frequency of the low-resolution image, in cycles per high-resolution pixel.

    Returns:
        The figure.

    Raises:
        ValueError: if a spectrum's shape differs from `frequencies`'.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for name, power in spectra.items():
        if power.shape != frequencies.shape:
            raise ValueError(f"spectrum {name!r} has shape {power.shape}; give {frequencies.shape}")
        axis.plot(frequencies, power, label=name, linewidth=1.2)
    axis.axvline(nyquist, color="gray", linestyle=":", label="Nyquist, low resolution")
    axis.set_yscale("log")
    axis.set_xlim(0, 0.5)
    axis.set_xlabel("spatial frequency (cycles per high-resolution pixel)")
    axis.set_ylabel("radially averaged power")
    axis.legend(fontsize=8)
    return figure


def comparison_figure(
    low: Image,
    bicubic: Image,
    sr: Image,
    titles: tuple[str, str, str] = ("before", "bicubic", "super-resolution"),
    inset: tuple[int, int, int, int] | None = None,
) -> Figure:
    """One slice before and after, above the same part of each magnified.

    Args:
        low: shape (H, W), any intensity unit.
        bicubic: shape (s H, s W), same unit.
        sr: super-resolved image, shape (s H, s W), same unit.
        titles: one for each image; must not name a patient.
        inset: first row, first column, rows and columns of the magnified part, in pixels of `sr`; None takes
            the quarter of the image along each axis in which `bicubic` varies most.

    Returns:
        The figure.

    Raises:
        ValueError: if shapes do not fit or the inset is not inside the image.
    """
    _check_shapes(low, bicubic, sr)
    row, column, rows, columns = _most_varied_part(bicubic) if inset is None else inset
    if (
        min(row, column) < 0
        or min(rows, columns) < 1
        or row + rows > sr.shape[0]
        or column + columns > sr.shape[1]
    ):
        raise ValueError(f"inset is {inset}; give a part inside the {sr.shape[0]} x {sr.shape[1]} image")
    figure = _figure(3, 2, sr.shape, "")
    axes = figure.subplots(2, 3)
    window = _window(bicubic)
    for (whole, part), image, name in zip(axes.T, (low, bicubic, sr), titles, strict=True):
        _show(whole, image, window, name, sr.shape)
        whole.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5), columns, rows, fill=False, edgecolor=INSET_COLOUR, linewidth=1
            )
        )
        _show(part, image, window, "", sr.shape)
        part.set_xlim(column - 0.5, column + columns - 0.5)
        part.set_ylim(row + rows - 0.5, row - 0.5)
        for axis in (whole, part):
            axis.set_axis_off()
    return figure


def training_figure(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """What a training logged, epoch by epoch: one panel a quantity, one line a training.

    Args:
        curves: training -> quantity -> one value an epoch, NaN where it was not measured.

    Returns:
        The figure.

    Raises:
        ValueError: if there is no value to draw.
    """
    names = list(dict.fromkeys(name for quantities in curves.values() for name in quantities))
    if not names:
        raise ValueError("curves hold no quantity; give at least one for a training")
    rows = -(-len(names) // CURVE_COLUMNS)
    figure = Figure(figsize=(3 * CURVE_COLUMNS, 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, CURVE_COLUMNS, squeeze=False)
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes.flat, names, strict=False):
        for training, quantities in curves.items():
            values = np.asarray(quantities.get(name, ()), dtype=np.float64)
            epochs = np.arange(1, len(values) + 1)
            known = np.isfinite(values)
            axis.plot(epochs[known], values[known], label=training, linewidth=1, marker=".", markersize=3)
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("epoch", fontsize=8)
    if len(curves) > 1:
        axes.flat[0].legend(fontsize=7)
    return figure


def roc_figure(placements: Mapping[str, Sequence[float]]) -> Figure:
    """Receiver operating characteristics of observers, the area under each in the legend.

    Args:
        placements: name -> of each answer with the signal, the share of the answers without it that are
            larger; at least one, from 0 to 1. The first is what the others are compared with.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="gray", linestyle=":", linewidth=1, label="guessing: 0.500")
    for number, (name, values) in enumerate(placements.items()):
        falsely = np.concatenate([[0.0], np.sort(values), [1.0]])
        # The share of answers of at most that placement; a step up at each.
        rightly = np.concatenate([np.arange(len(values) + 1) / len(values), [1.0]])
        style = "--" if number == 0 else "-"
        label = f"{name}: {1 - np.mean(values):.3f}"
        axis.step(falsely, rightly, where="post", linestyle=style, linewidth=1.4, label=label)
    axis.set_aspect("equal")
    axis.set_xlabel("slices without lesion that are taken for one with it")
    axis.set_ylabel("lesions that are found")
    axis.legend(fontsize=8, loc="lower right", title="area under the curve", title_fontsize=8)
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, whole or not at all, the same bytes for the same figure.

    Args:
        figure: the figure.
        path: file to write, replaced if it exists.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    FigureCanvasAgg(figure)
    try:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _figure(columns: int, rows: int, shape: tuple[int, ...], title: str) -> Figure:
    height = min(max(shape[0] / shape[1], 0.5), 2)
    figure = Figure(figsize=(3 * columns, 3 * height * rows + 0.5), layout="constrained")
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _show(axis: Axes, image: Image, window: tuple[float, float], title: str, shape: tuple[int, ...]) -> None:
    # Every image spans the finest grid, so that pixel (row, column) is at the same place in all of them.
    extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
    axis.imshow(image, cmap="gray", vmin=window[0], vmax=window[1], interpolation="nearest", extent=extent)
    axis.set_title(title, fontsize=9)


def _window(image: Image) -> tuple[float, float]:
    low, high = float(image.min()), float(np.percentile(image, BRIGHT_PERCENTILE))
    return (low, high) if high > low else (low, low + 1)


def _most_varied_part(image: Image) -> tuple[int, int, int, int]:
    """The window of a quarter of each side whose values have the largest variance."""
    rows, columns = (max(size // INSET_FRACTION, 1) for size in image.shape)
    row, column = most_varied_part(image, rows, columns)
    return row, column, rows, columns


def _check_shapes(low: Image, *finer: Image) -> None:
    shape = finer[0].shape
    if low.ndim != 2 or any(image.shape != shape for image in finer):
        raise ValueError(f"the images' shapes are {[image.shape for image in finer]}; give one shape (H, W)")
    if shape[0] % low.shape[0] or shape[0] // low.shape[0] * low.shape[1] != shape[1]:
        raise ValueError(f"low has shape {low.shape}; give {shape} divided by an integer")
