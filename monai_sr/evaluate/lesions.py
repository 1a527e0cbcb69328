"""Small lesions put into high-resolution slices: what super-resolution makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erfc

from monai_sr.evaluate.pairs import Degradation
from monai_sr.report.parts import most_varied_part

Frames = NDArray[np.float32]
Enlarge = Callable[[Frames], NDArray[np.floating]]
"""From frames [n, h, w] to [n, scale_factor x h, scale_factor x w]."""

RADII = (1.0, 2.0, 3.0)
"""In low-resolution pixels."""
EDGE = 0.25
"""Standard deviation of the Gaussian by which a lesion's edge falls, in low-resolution pixels."""
NOISE = 0.02
"""Standard deviation of the noise in the low-resolution slice, as a share of the volume's range."""
DETECTABILITY = 2.0
"""What the best observer of the low-resolution slice has: an area under the curve of 0.921."""
REPEATS = 12
FIELD, CELL, MARGIN = 96, 16, 3
"""In low-resolution pixels: side of what is looked at, distance of two lesions, what a window adds to one."""
MIN_TISSUE = 0.1
PLACES = 9
SIZES = np.arange(0.5, 2.51, 0.05)

LESION_METRICS = {
    "lesion_auc": "lesion AUC",
    "lesion_contrast": "lesion contrast",
    "lesion_size": "lesion size",
}
LESION_CONVENTION = (
    f"bright and dark discs of radius {', '.join(f'{r:g}' for r in RADII)} low-resolution pixels, added to "
    f"the high-resolution slice where it is above {MIN_TISSUE:g}, degraded; Gaussian noise of {NOISE:g} "
    f"added to the low-resolution slice, {REPEATS} times; each lesion's contrast such that the best observer "
    f"of the noisy low-resolution slice has a detectability of {DETECTABILITY:g}, an AUC of 0.921. AUC: of a "
    "non-prewhitening matched filter that knows place, signal and background, with and without the lesion. "
    "Contrast and size: of what the lesion changed, 1 if as inserted. On the most varied "
    f"{FIELD} x {FIELD} low-resolution pixels of at most two slices of each file"
)


@dataclass(frozen=True)
class Lesion:
    """A disc.

    Args:
        row: of its centre, in high-resolution pixels; may lie between two.
        column: as `row`.
        radius: in high-resolution pixels.
        contrast: what it adds at its centre; negative if it is dark.
    """

    row: float
    column: float
    radius: float
    contrast: float


@dataclass(frozen=True, eq=False)
class LesionReading:
    """What a method made of one lesion.

    Args:
        contrast: as it is shown, 1 as inserted.
        size: likewise.
        placements: of each answer of the observer with the lesion, see `placements`.
    """

    contrast: float
    size: float
    placements: NDArray[np.float64]

    @property
    def scores(self) -> dict[str, float]:
        """Value for each key of `LESION_METRICS`."""
        values = 1 - float(self.placements.mean()), self.contrast, self.size
        return dict(zip(LESION_METRICS, values, strict=True))


def draw_disc(shape: tuple[int, ...], lesion: Lesion, scale_factor: int) -> NDArray[np.float64]:
    """A lesion of contrast 1 on nothing.

    Args:
        shape: (H, W) of the image.
        lesion: where and how large.
        scale_factor: high-resolution pixels in a low-resolution one, for the edge.

    Returns:
        Values in [0, 1].
    """
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    distance = np.hypot(rows - lesion.row, columns - lesion.column) - lesion.radius
    return np.asarray(0.5 * erfc(distance / (EDGE * scale_factor * math.sqrt(2))))


def score_lesions(
    high: Frames,
    methods: Mapping[str, Enlarge],
    degradation: Degradation,
    scale_factor: int,
    seed: int | Sequence[int] = 0,
    tissue: NDArray[np.bool_] | None = None,
    detectability: float = DETECTABILITY,
) -> dict[str, dict[str, float]]:
    """As `read_lesions`, in numbers.

    Args:
        high: as of `read_lesions`, like the rest.
        methods: likewise.
        degradation: likewise.
        scale_factor: likewise.
        seed: likewise.
        tissue: likewise.
        detectability: likewise.

    Returns:
        Method -> key of `LESION_METRICS` -> mean over the lesions; NaN where there is no place for any.
    """
    found = read_lesions(high, methods, degradation, scale_factor, seed, tissue, detectability)
    return {name: mean_scores(readings) for name, readings in found.items()}


def mean_scores(readings: Sequence[LesionReading]) -> dict[str, float]:
    """Mean over lesions of each of `LESION_METRICS`, NaN of none."""
    scores = [reading.scores for reading in readings]
    return {
        name: float(np.mean([score[name] for score in scores])) if scores else math.nan
        for name in LESION_METRICS
    }


def read_lesions(
    high: Frames,
    methods: Mapping[str, Enlarge],
    degradation: Degradation,
    scale_factor: int,
    seed: int | Sequence[int] = 0,
    tissue: NDArray[np.bool_] | None = None,
    detectability: float = DETECTABILITY,
) -> dict[str, list[LesionReading]]:
    """Insert lesions into one slice and measure what each method makes of them.

    All methods get the same noisy low-resolution images, so that their scores are paired.

    Args:
        high: shape (H, W), values in [0, 1].
        methods: name -> what enlarges low-resolution frames.
        degradation: deterministic, from (1, H, W) to (1, H / scale_factor, W / scale_factor).
        scale_factor: integer >= 2.
        seed: of places and noise.
        tissue: where lesions may lie, shape (H, W); by default where `high` is above 0.1.
        detectability: of every lesion for the best observer of the noisy low-resolution slice.

    Returns:
        Method -> what it made of each lesion, the same for all; none where there is no place for any.

    Reference:
        Barrett and Myers, Foundations of Image Science, 2004, chapter 13: the observer.
    """
    generator = np.random.default_rng(seed)
    part = _most_varied(high, scale_factor)
    field = high[part]
    places = _places((high > MIN_TISSUE if tissue is None else tissue)[part], scale_factor, generator)
    if not places:
        return {name: [] for name in methods}
    absent = _degrade(degradation, field)
    lesions, discs, present = [], [], field.copy()
    for place in places:
        disc = draw_disc(field.shape, place, scale_factor)
        seen = _degrade(degradation, field + disc.astype(np.float32)) - absent
        # In white noise, the best observer's detectability is the signal's norm over the noise.
        contrast = place.contrast * detectability * NOISE / float(np.linalg.norm(seen))
        lesions.append(Lesion(place.row, place.column, place.radius, contrast))
        discs.append(disc)
        present = present + (contrast * disc).astype(np.float32)
    noise = generator.normal(0, NOISE, (REPEATS, *absent.shape))
    low = np.concatenate([_degrade(degradation, present) + noise, absent + noise]).astype(np.float32)
    windows = [_window(lesion, scale_factor) for lesion in lesions]
    found = {}
    for name, enlarge in methods.items():
        with_them, without = np.split(np.asarray(enlarge(low), dtype=np.float64), 2)
        found[name] = [
            _read(with_them[window], without[window], lesion, disc[window[1:]], scale_factor)
            for lesion, disc, window in zip(lesions, discs, windows, strict=True)
        ]
    return found


def area_under_curve(present: NDArray[np.float64], absent: NDArray[np.float64]) -> float:
    """Share of pairs that an observer orders rightly, of different repetitions: their noise is independent.

    Args:
        present: observer's answers with the signal, one a repetition.
        absent: answers without it, in the same order; at least two.

    Returns:
        Area under the receiver operating characteristic, from 0 to 1; a tie counts a half.

    Example:
        >>> area_under_curve(np.array([2.0, 3.0]), np.array([1.0, 2.5]))
        0.5
    """
    return 1 - float(placements(present, absent).mean())


def placements(present: NDArray[np.float64], absent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each answer with the signal, the share of the others' answers without it that are larger.

    Their distribution is the receiver operating characteristic, and 1 less their mean the area under it.

    Args:
        present: as of `area_under_curve`.
        absent: likewise.

    Returns:
        One share an answer, from 0 to 1; a tie counts a half.

    Reference:
        Pepe and Cai, The analysis of placement values for evaluating discriminatory measures, Biometrics 60,
        2004.
    """
    larger = (np.sign(absent[None] - present[:, None]) + 1) / 2
    others = ~np.eye(len(present), dtype=bool)
    return np.asarray(larger[others].reshape(len(present), -1).mean(axis=1))


def _read(
    present: NDArray[np.float64],
    absent: NDArray[np.float64],
    lesion: Lesion,
    disc: NDArray[np.float64],
    scale_factor: int,
) -> LesionReading:
    """What was made of one lesion, in its window of all repetitions."""
    signal = (present - absent).mean(axis=0)
    answers = [(images * signal).sum(axis=(1, 2)) for images in (present, absent)]
    contrast = (signal * disc).sum() / (disc**2).sum() / lesion.contrast if lesion.contrast else math.nan
    row, column = (centre - math.floor(centre - reach) for centre, reach in _reaches(lesion, scale_factor))
    templates = [
        draw_disc(disc.shape, Lesion(row, column, size * lesion.radius, 1.0), scale_factor) for size in SIZES
    ]
    alike = [(signal * other).sum() / np.linalg.norm(other) * np.sign(lesion.contrast) for other in templates]
    size = float(SIZES[int(np.argmax(alike))])
    return LesionReading(float(contrast), size, placements(*answers))


def _reaches(lesion: Lesion, scale_factor: int) -> tuple[tuple[float, float], tuple[float, float]]:
    reach = lesion.radius + MARGIN * scale_factor
    return (lesion.row, reach), (lesion.column, reach)


def _window(lesion: Lesion, scale_factor: int) -> tuple[slice, slice, slice]:
    """Of all repetitions, the pixels about a lesion."""
    rows, columns = (
        slice(math.floor(centre - reach), math.ceil(centre + reach) + 1)
        for centre, reach in _reaches(lesion, scale_factor)
    )
    return slice(None), rows, columns


def _most_varied(high: Frames, scale_factor: int) -> tuple[slice, slice]:
    rows, columns = (min(size, FIELD * scale_factor) for size in high.shape)
    row, column = most_varied_part(high, rows, columns)
    return slice(row, row + rows), slice(column, column + columns)


def _places(tissue: NDArray[np.bool_], scale_factor: int, generator: np.random.Generator) -> list[Lesion]:
    """At most `PLACES` lesions in tissue, of each radius in turn, bright or dark, none near another."""
    cell = CELL * scale_factor
    counts = [size // cell for size in tissue.shape]
    found: list[Lesion] = []
    for number in generator.permutation(math.prod(counts)):
        corner = np.array(divmod(int(number), counts[1])) * cell
        # Between pixels, too: a network must not do better where a lesion's centre falls on one.
        row, column = corner + cell / 2 + generator.uniform(-1, 1, 2) * scale_factor
        sign = generator.choice((-1.0, 1.0))
        radius = RADII[len(found) % len(RADII)] * scale_factor
        lesion = Lesion(float(row), float(column), radius, float(sign))
        if tissue[draw_disc(tissue.shape, lesion, scale_factor) > 0.5].all():
            found.append(lesion)
        if len(found) == PLACES:
            break
    return found


def _degrade(degradation: Degradation, image: Frames) -> NDArray[np.float32]:
    return np.asarray(degradation(torch.from_numpy(np.ascontiguousarray(image))[None])[0])
