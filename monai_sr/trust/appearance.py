"""What the pixels alone tell of how an image was acquired: intensities, noise, spectrum along each axis."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

BANDS = ((0.06, 0.12), (0.12, 0.24), (0.26, 0.36), (0.40, 0.48))
"""Frequencies in cycles per pixel that are compared; the last lies right below Nyquist's, 0.5."""

DARK = 0.05
"""Share of the intensity range up to which a pixel counts as background."""

MIN_SIDE = 24
"""Pixels below which a frame tells too little: a band would hold no frequency."""

MAX_SIDE = 2048
"""Pixels beyond which a frame's middle stands for its spectrum, and every k-th pixel for its intensities."""

RIM = 20
"""The rim is the outermost 1/20 of the shorter side."""

FLOOR = 1e-12
"""Power that stands for none, so that it has a logarithm."""

LEAST_NOISE = 1e-4
"""Noise that stands for none: less than half a grey level of 8 bits."""

MAD_TO_STD = 1.4826
"""From the median absolute deviation of normal noise to its standard deviation."""

PIXELS = ("dark", "middle", "rim", "noise", "fall_down", "fall_across", "grain")
"""The statistics that tell of the modality."""

EDGES = ("edge_down", "edge_across")
"""Those that tell of the degradation."""


def appearance(frames: Iterable[NDArray[np.float64]]) -> dict[str, float]:
    """Statistics of an image, each the median over its frames.

    Args:
        frames: intensities about [0, 1], each of shape (H, W).

    Returns:
        Name -> value; none where no frame holds enough of an image:

        - `dark`: share of the pixels that are background;
        - `middle`: median intensity of the others;
        - `rim`: median intensity at the border of the frame;
        - `noise`: standard deviation of the finest diagonal detail, as a share of the intensity range;
        - `fall_down`, `fall_across`: powers of ten by which power falls from the lowest band to the third,
          along columns and along rows;
        - `edge_down`, `edge_across`: the same from the third band to the one right below Nyquist's;
        - `grain`: powers of ten by which the second band holds more along columns than along rows.

    Example:
        >>> found = appearance([np.random.default_rng(0).random((64, 64))])
        >>> round(found["noise"], 1), abs(found["edge_down"]) < 0.2
        (0.3, True)
    """
    found = [_of_frame(frame) for frame in frames if min(frame.shape) >= MIN_SIDE and np.ptp(frame) > 0]
    if not found:
        return {}
    return {name: float(np.median([each[name] for each in found])) for name in found[0]}


def _of_frame(frame: NDArray[np.float64]) -> dict[str, float]:
    step = -(-max(frame.shape) // MAX_SIDE)
    thin, core = frame[::step, ::step], _middle(frame)
    image = thin[thin > DARK]
    down, across = _bands(core.T), _bands(core)
    return {
        "dark": 1 - image.size / thin.size,
        "middle": float(np.median(image)) if image.size else 0.0,
        "rim": _rim(thin),
        "noise": _noise(core),
        "fall_down": down[2] - down[0],
        "fall_across": across[2] - across[0],
        "edge_down": down[3] - down[2],
        "edge_across": across[3] - across[2],
        "grain": down[1] - across[1],
    }


def _middle(frame: NDArray[np.float64]) -> NDArray[np.float64]:
    first_row, first_column = (max(0, (size - MAX_SIDE) // 2) for size in frame.shape)
    return frame[first_row : first_row + MAX_SIDE, first_column : first_column + MAX_SIDE]


def _bands(lines: NDArray[np.float64]) -> list[float]:
    """Logarithm of the mean power in each band, along the last axis."""
    length = lines.shape[-1]
    window = np.hanning(length + 2)[1:-1]
    centred = (lines - np.average(lines, axis=-1, weights=window)[:, None]) * window
    power = np.mean(np.abs(np.fft.rfft(centred)) ** 2, axis=0) / np.sum(window**2)
    frequency = np.fft.rfftfreq(length)
    means = [np.mean(power[(frequency >= low) & (frequency <= high)]) for low, high in BANDS]
    return [float(np.log10(mean + FLOOR)) for mean in means]


def _rim(frame: NDArray[np.float64]) -> float:
    depth = max(1, min(frame.shape) // RIM)
    parts = (frame[:depth], frame[-depth:], frame[:, :depth], frame[:, -depth:])
    return float(np.median(np.concatenate([part.ravel() for part in parts])))


def _noise(frame: NDArray[np.float64]) -> float:
    rows, columns = (size // 2 * 2 for size in frame.shape)
    corners = [frame[row:rows:2, column:columns:2] for row in (0, 1) for column in (0, 1)]
    detail = (corners[0] - corners[1] - corners[2] + corners[3]) / 2
    # A background that was set to zero has no noise to tell of.
    there = np.logical_and.reduce([corner > DARK for corner in corners])
    kept = detail[there] if there.any() else detail
    return max(LEAST_NOISE, float(MAD_TO_STD * np.median(np.abs(kept))))
