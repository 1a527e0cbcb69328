"""What a method makes of the phantoms: structures that are not there, sharpness, bars, low contrast."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import label, uniform_filter

from monai_sr.evaluate import phantoms
from monai_sr.evaluate.baselines import BASELINES
from monai_sr.evaluate.lesions import LESION_METRICS, NOISE, Enlarge, score_lesions
from monai_sr.evaluate.pairs import Degradation
from monai_sr.metrics import edge_response

REPEATS = 16
"""Noisy images of each phantom without structure."""
LEAST_CONTRAST = 0.02
SIGMAS = 5.0
FINE, TOO_FINE = 0.75, 1.25
"""Frequencies of bars, in units of the low-resolution Nyquist frequency."""

PHANTOM_METRICS = {
    "false_structures": "false structures per megapixel",
    "standing_out": "of them standing out of the own noise",
    "noise_gain": "noise, of bicubic's",
    "edge_spread": "edge spread, low-resolution pixels",
    "overshoot": "overshoot",
    "mtf_half": "MTF 50%, cycles per low-resolution pixel",
    "mtf_nyquist": "MTF at the low-resolution Nyquist frequency",
    "bars_fine": f"bars at {FINE:g} Nyquist, modulation",
    "bars_false": f"bars at {TOO_FINE:g} Nyquist, false modulation",
} | {name: f"{title}, flat" for name, title in LESION_METRICS.items()}
PHANTOM_CONVENTIONS = {
    "phantoms": f"values from {phantoms.LOW:g} to {phantoms.HIGH:g} on {phantoms.SIZE} x {phantoms.SIZE} "
    "low-resolution pixels, framed by 0 and 1; degraded, enlarged, compared with the formula",
    "false structures": "on a flat and on a smoothly shaded phantom, each without noise and "
    f"{REPEATS} times with Gaussian noise of {NOISE:g} in low resolution: connected regions of at least one "
    "low-resolution pixel in which the image, averaged over one, differs from the phantom by more than "
    f"{LEAST_CONTRAST:g} and, with noise, by more than {SIGMAS:g} standard deviations of the noise that "
    "bicubic lets through; standing out: of the noise that the method itself shows, if that is more",
    "edge": "10% to 90%, and modulation transfer, by the slanted-edge method of ISO 12233, without noise",
    "bars": f"cosine bars without noise: at {FINE:g} of the low-resolution Nyquist frequency the modulation "
    f"shown, 1 if all; at {TOO_FINE:g}, which low resolution cannot hold, the root mean square of what is "
    "shown beside them, of theirs",
}
"""Name -> sentence, what a table of these must state."""


def score_phantoms(
    methods: Mapping[str, Enlarge], degradation: Degradation, scale_factor: int
) -> dict[str, dict[str, float]]:
    """Measure methods on every phantom; the same call gives the same numbers.

    Args:
        methods: name -> what enlarges low-resolution frames [n, h, w].
        degradation: deterministic, from (1, H, W) to (1, H / scale_factor, W / scale_factor).
        scale_factor: integer >= 2.

    Returns:
        Method -> key of `PHANTOM_METRICS` -> value.
    """
    flat = phantoms.flat(scale_factor)
    tissue = np.zeros(flat.shape, dtype=bool)
    tissue[phantoms.inner(scale_factor)] = True
    structures = score_false_structures(methods, degradation, scale_factor)
    lesions = score_lesions(flat, methods, degradation, scale_factor, tissue=tissue)
    return {
        name: structures[name]
        | _edge(enlarge, degradation, scale_factor)
        | _bars(enlarge, degradation, scale_factor)
        | lesions[name]
        for name, enlarge in methods.items()
    }


def score_false_structures(
    methods: Mapping[str, Enlarge], degradation: Degradation, scale_factor: int
) -> dict[str, dict[str, float]]:
    """The part of `score_phantoms` that looks for structures where there are none; it gives the same numbers.

    Args:
        methods: name -> what enlarges low-resolution frames [n, h, w].
        degradation: deterministic, from (1, H, W) to (1, H / scale_factor, W / scale_factor).
        scale_factor: integer >= 2.

    Returns:
        Method -> `false_structures`, `standing_out` and `noise_gain`, see `PHANTOM_METRICS`.
    """
    generator = np.random.default_rng(0)
    counts = {name: np.zeros(2, dtype=int) for name in methods}
    gains: dict[str, list[float]] = {name: [] for name in methods}
    part = (slice(None), *phantoms.inner(scale_factor))
    pixels = 0
    for phantom in (phantoms.flat(scale_factor), phantoms.smooth(scale_factor)):
        clean = _degrade(degradation, phantom)
        noise = generator.normal(0, NOISE, (REPEATS + 1, *clean.shape))
        noise[0] = 0
        low = (clean + noise).astype(np.float32)
        usual = (BASELINES["bicubic"](low, scale_factor) - phantom)[part]
        for name, enlarge in methods.items():
            found = (np.asarray(enlarge(low), dtype=np.float64) - phantom)[part]
            averaged, one = _noise(found, scale_factor)
            usual_averaged, usual_one = _noise(usual, scale_factor)
            gains[name].append(one / usual_one)
            for place, spread in enumerate((usual_averaged, max(averaged, usual_averaged))):
                thresholds = [LEAST_CONTRAST] + [max(LEAST_CONTRAST, SIGMAS * spread)] * REPEATS
                counts[name][place] += sum(
                    count_structures(image, threshold, scale_factor)
                    for image, threshold in zip(found, thresholds, strict=True)
                )
        pixels += usual.size
    return {
        name: {
            "false_structures": float(counts[name][0]) * 1e6 / pixels,
            "standing_out": float(counts[name][1]) * 1e6 / pixels,
            "noise_gain": float(np.mean(gains[name])),
        }
        for name in methods
    }


def count_structures(difference: NDArray[np.floating], threshold: float, scale_factor: int) -> int:
    """Connected regions that differ by more than a threshold and are large enough to be seen as something.

    Args:
        difference: from what should be there, shape (H, W).
        threshold: in its unit, above 0.
        scale_factor: pixels along each side of a low-resolution pixel, the least that counts.

    Returns:
        Their number.

    Example:
        >>> image = np.zeros((8, 8))
        >>> image[1:4, 1:4], image[6, 6] = 1, 1
        >>> count_structures(image, 0.5, scale_factor=2)
        1
    """
    averaged = uniform_filter(np.asarray(difference, dtype=np.float64), scale_factor)
    # A bright and a dark region side by side are two.
    total = 0
    for sign in (1, -1):
        regions, _ = label(sign * averaged > threshold)
        total += int((np.bincount(regions.ravel())[1:] >= scale_factor**2).sum())
    return total


def _noise(differences: NDArray[np.floating], scale_factor: int) -> tuple[float, float]:
    """Standard deviation of averages over a low-resolution pixel, and of pixels; the first has no noise."""
    noise = differences[1:] - differences[:1]
    return float(uniform_filter(noise, (0, scale_factor, scale_factor)).std()), float(noise.std())


def _edge(enlarge: Enlarge, degradation: Degradation, scale_factor: int) -> dict[str, float]:
    image = enlarge(_degrade(degradation, phantoms.edge(scale_factor))[None])[0]
    response = edge_response(image[phantoms.inner(scale_factor)])
    below = response.transfer < 0.5
    return {
        "edge_spread": response.spread / scale_factor,
        "overshoot": response.overshoot,
        "mtf_half": float(response.frequencies[below.argmax()]) * scale_factor if below.any() else math.nan,
        "mtf_nyquist": response.transfer_at(0.5 / scale_factor),
    }


def _bars(enlarge: Enlarge, degradation: Degradation, scale_factor: int) -> dict[str, float]:
    shown = []
    for frequency in (FINE, TOO_FINE):
        phantom = phantoms.bars(scale_factor, frequency)
        image = np.asarray(enlarge(_degrade(degradation, phantom)[None])[0], dtype=np.float64)
        wanted, got = (values[phantoms.inner(scale_factor)] for values in (phantom.astype(np.float64), image))
        wanted, got = wanted - wanted.mean(), got - got.mean()
        modulation = float((wanted * got).sum() / (wanted**2).sum())
        beside = float(np.sqrt(((got - modulation * wanted) ** 2).mean() / (wanted**2).mean()))
        shown.append((modulation, beside))
    return {"bars_fine": shown[0][0], "bars_false": shown[1][1]}


def _degrade(degradation: Degradation, image: phantoms.Image) -> NDArray[np.float32]:
    return np.asarray(degradation(torch.from_numpy(image)[None])[0])
