"""One volume of several, each of which is sharp in other directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter

EXPONENT = 3.0
"""Of a magnitude; 0 would average, and a large one take the largest alone."""

_SMOOTHING = 2.0
"""Standard deviation, in samples of the spectrum, that a magnitude is smoothed by."""

_LEAST = np.float32(1e-9)
_BORDERS = ("wrap", "wrap", "mirror")


def accumulate(volumes: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Average the spectra, each weighed by its own magnitude (Fourier burst accumulation).

    What a volume lacks has a small magnitude there and so does not weaken what another has.

    Args:
        volumes: estimates of one volume, of one shape.

    Returns:
        The weighted average.

    Reference:
        Delbracio and Sapiro, "Burst deblurring: removing camera shake through Fourier burst accumulation",
        CVPR 2015, https://arxiv.org/abs/1505.02731

    Example:
        >>> volume = np.random.default_rng(0).random((3, 4, 5), np.float32)
        >>> bool(np.allclose(accumulate([volume, volume]), volume, atol=1e-6))
        True
    """
    # Only half of the last axis' frequencies is there, from 0 on; the others are all there, and periodic.
    total: NDArray[np.complex64] | None = None
    weights = np.float32(0)
    for volume in volumes:
        spectrum = fft.rfftn(volume)
        magnitude = gaussian_filter(np.abs(spectrum), _SMOOTHING, mode=_BORDERS)
        # As large as the number of voxels at most for intensities about 1, which a power would overflow.
        weight = (magnitude / np.float32(volume.size) + _LEAST) ** EXPONENT
        spectrum *= weight
        total = spectrum if total is None else total + spectrum
        weights = weights + weight
    if total is None:
        raise ValueError("volumes is empty; give at least one")
    return np.asarray(fft.irfftn(total / weights, volumes[0].shape), np.float32)
