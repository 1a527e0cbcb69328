"""How sharply an edge is shown: its spread and modulation transfer, by the slanted-edge method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OVERSAMPLING = 4
"""Samples of the edge profile in a pixel."""
MIN_SIZE = 16

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EdgeResponse:
    """What an edge says on sharpness.

    Args:
        frequencies: in cycles per pixel, from 0 to 0.5, shape (K,).
        transfer: modulation at each frequency relative to that at 0, shape (K,).
        spread: distance in pixels in which the profile rises from 10% to 90%.
        overshoot: how far the profile leaves the two sides' values, relative to the edge's height.
    """

    frequencies: Array
    transfer: Array
    spread: float
    overshoot: float

    def transfer_at(self, frequency: float) -> float:
        """Modulation at one frequency.

        Args:
            frequency: cycles per pixel, from 0 to 0.5.

        Returns:
            Interpolated value of `transfer`.
        """
        return float(np.interp(frequency, self.frequencies, self.transfer))


def edge_response(image: NDArray[np.floating]) -> EdgeResponse:
    """Measure one straight edge that runs from top to bottom, a few degrees from the columns.

    The edge is found as a line, and each pixel's distance from it gives a profile four times finer than the
    pixels. Its derivative's spectrum is the modulation transfer, corrected for the profile's bins.

    Args:
        image: shape (H, W), at least 16 x 16, any unit, without noise; the edge crosses each row and is away
            from the left and the right border.

    Returns:
        The response.

    Raises:
        ValueError: if `image` is not (H, W), too small, or has no such edge.

    Reference:
        ISO 12233:2017, Photography - Electronic still picture imaging - Resolution and spatial frequency
        responses, annex D.

    Example:
        >>> rows, columns = np.mgrid[:64, :64]
        >>> edge = 1 / (1 + np.exp(-(columns - 32 - 0.1 * (rows - 32))))
        >>> round(edge_response(edge).spread, 1)
        4.4
    """
    if image.ndim != 2 or min(image.shape) < MIN_SIZE:
        raise ValueError(f"image has shape {image.shape}: give (H, W), at least {MIN_SIZE} x {MIN_SIZE}.")
    values = np.asarray(image, dtype=np.float64)
    rows, columns = np.indices(values.shape)
    slope, start = _find_line(values)
    distance = (columns - (slope * rows + start)) / np.hypot(1, slope)
    # As far as every row reaches on both sides, or the profile's ends would be of some rows alone.
    reach = min(-distance[:, 0].max(), distance[:, -1].min())
    if reach < MIN_SIZE / 4:
        raise ValueError("the edge is too near to a border: give an image with one edge in its middle.")
    half = int(reach * OVERSAMPLING)
    bins = np.floor(distance * OVERSAMPLING).astype(int) + half
    inside = (bins >= 0) & (bins < 2 * half)
    counts = np.bincount(bins[inside], minlength=2 * half)
    if not counts.all():
        raise ValueError("the edge runs along the pixels: give one that is a few degrees from the columns.")
    profile = np.bincount(bins[inside], values[inside], minlength=2 * half) / counts
    return _measure(profile)


def _find_line(values: Array) -> tuple[float, float]:
    """Column of the edge as slope and start, found twice: the second time near the first line."""
    steps = np.abs(np.diff(values, axis=1))
    columns = np.arange(steps.shape[1]) + 0.5
    rows = np.arange(len(steps))
    near = np.ones_like(steps)
    for _ in range(2):
        weights = steps**2 * near
        totals = weights.sum(axis=1)
        if not totals.all():
            raise ValueError("a row of the image has no edge: give an edge that crosses every row.")
        slope, start = np.polyfit(rows, (weights * columns).sum(axis=1) / totals, 1)
        near = np.abs(columns - (slope * rows + start)[:, None]) < steps.shape[1] / 4
    return float(slope), float(start)


def _measure(profile: Array) -> EdgeResponse:
    """Sharpness of an edge profile with `OVERSAMPLING` samples a pixel."""
    side = max(len(profile) // 8, 1)
    left, right = profile[:side].mean(), profile[-side:].mean()
    unit = (profile - left) / (right - left)
    places = np.arange(len(unit)) / OVERSAMPLING
    tenth, most = (_crossing(unit, places, level) for level in (0.1, 0.9))
    overshoot = max(float(unit.max()) - 1, float(-unit.min()), 0.0)
    spread = np.diff(unit)
    # About its own centre, and towards the ends nothing: what noise or ringing is there is not the edge.
    centre = (np.arange(len(spread)) * np.abs(spread)).sum() / np.abs(spread).sum()
    window = 0.5 + 0.5 * np.cos(np.pi * np.clip((np.arange(len(spread)) - centre) / (len(spread) / 2), -1, 1))
    spectrum = np.abs(np.fft.rfft(spread * window, 8 * len(spread)))
    frequencies = np.asarray(np.fft.rfftfreq(8 * len(spread), 1 / OVERSAMPLING), dtype=np.float64)
    kept = frequencies <= 0.5
    # Averaging within bins and subtracting neighbours each multiply by this.
    bins = np.sinc(frequencies[kept] / OVERSAMPLING)
    transfer = np.asarray(spectrum[kept] / spectrum[0] / bins**2, dtype=np.float64)
    return EdgeResponse(frequencies[kept], transfer, most - tenth, overshoot)


def _crossing(unit: Array, places: Array, level: float) -> float:
    """Where a profile from 0 to 1 passes a level for the last time before it stays above."""
    last = int(np.flatnonzero(unit < level)[-1])
    after = min(last + 1, len(unit) - 1)
    rise = unit[after] - unit[last]
    part = (level - unit[last]) / rise if rise > 0 else 0.0
    return float(places[last] + part * (places[after] - places[last]))
