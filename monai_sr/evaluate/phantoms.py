"""Test images by formula: whatever a method shows in them beyond the formula, it made up."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import erfc

SIZE = 64
"""Side of what is measured, in low-resolution pixels."""
BORDER = 16
"""Width of what lies around it, in low-resolution pixels: black, and white, as in an image of a body."""
ANGLE = math.radians(5)
"""Of edge and bars to the columns, so that they meet pixels at every place."""
LOW, HIGH = 0.3, 0.7

Image = NDArray[np.float32]


def inner(scale_factor: int) -> tuple[slice, slice]:
    """Where in a phantom lies what is measured.

    Args:
        scale_factor: integer >= 1.

    Returns:
        Rows and columns, in high-resolution pixels.
    """
    part = slice(BORDER * scale_factor, (BORDER + SIZE) * scale_factor)
    return part, part


def flat(scale_factor: int) -> Image:
    """Nothing at all.

    Args:
        scale_factor: integer >= 1.

    Returns:
        Shape (96 x scale_factor,) * 2, as of all phantoms, values from 0 to 1.
    """
    return _framed(np.full((SIZE * scale_factor,) * 2, (LOW + HIGH) / 2), scale_factor)


def smooth(scale_factor: int, seed: int = 0) -> Image:
    """Shading that interpolation shows as it is: nothing in it is smaller than about ten coarse pixels.

    Args:
        scale_factor: integer >= 1.
        seed: of the shading.

    Returns:
        The phantom.
    """
    noise = np.random.default_rng(seed).normal(size=(SIZE,) * 2)
    # Drawn on the coarse grid, so that it is the same shading at each scale.
    coarse = gaussian_filter(noise, 6, mode="wrap")
    places = (np.arange(SIZE * scale_factor) + 0.5) / scale_factor - 0.5
    spectrum = np.fft.fft2(coarse)
    turn = np.exp(2j * np.pi * np.outer(places, np.fft.fftfreq(SIZE)))
    shading = (turn @ spectrum @ turn.T).real
    unit = (shading - shading.min()) / np.ptp(shading)
    return _framed(LOW + (HIGH - LOW) * unit, scale_factor)


def edge(scale_factor: int) -> Image:
    """A straight, sharp edge from dark to bright, for `monai_sr.metrics.edge_response`.

    Args:
        scale_factor: integer >= 1.

    Returns:
        The phantom.
    """
    across = _across(scale_factor)
    # As sharp as the high-resolution grid can hold.
    return _framed(LOW + (HIGH - LOW) * 0.5 * erfc(-across / (0.5 * math.sqrt(2))), scale_factor)


def bars(scale_factor: int, frequency: float) -> Image:
    """Parallel bars of one spatial frequency.

    Args:
        scale_factor: integer >= 1.
        frequency: in units of the low-resolution Nyquist frequency, above 0 and below `scale_factor`.

    Returns:
        The phantom; its bars are a cosine from 0.3 to 0.7.
    """
    phase = math.pi * frequency / scale_factor * _across(scale_factor)
    return _framed((LOW + HIGH) / 2 + (HIGH - LOW) / 2 * np.cos(phase), scale_factor)


def _across(scale_factor: int) -> NDArray[np.float64]:
    """Distance from a line through the middle, a little off the columns, in high-resolution pixels."""
    places = np.arange(SIZE * scale_factor) - (SIZE * scale_factor - 1) / 2
    return np.asarray(np.add.outer(places * math.sin(ANGLE), places * math.cos(ANGLE)))


def _framed(middle: NDArray[np.float64], scale_factor: int) -> Image:
    """Put black and, in two corners, white around: a method that scales intensities finds a usual range."""
    border = BORDER * scale_factor
    image = np.pad(middle, border, mode="edge")
    places = np.arange(len(image)) + 0.5
    # Soft, so that the frame rings in no kernel: half-way between the image's end and the middle.
    depth = np.minimum(places, len(image) - places) / scale_factor - BORDER / 2
    inside = 0.5 * erfc(-depth / (1.5 * math.sqrt(2)))
    weight = np.minimum.outer(inside, inside)
    half = np.arange(len(image)) < len(image) / 2
    frame = np.where(half[:, None] == half[None], 0.0, 1.0)
    framed = weight * image + (1 - weight) * gaussian_filter(frame, 2.0 * scale_factor)
    return np.asarray(framed, dtype=np.float32)
