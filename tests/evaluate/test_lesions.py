from __future__ import annotations

import math
from functools import partial
from statistics import NormalDist

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from monai_sr.evaluate import bicubic, make_degradation
from monai_sr.evaluate.lesions import (
    CELL,
    DETECTABILITY,
    LESION_METRICS,
    NOISE,
    RADII,
    Lesion,
    area_under_curve,
    draw_disc,
    placements,
    read_lesions,
    score_lesions,
)

BINNING = make_degradation("binning", 2)


def repeat(low):
    """Nearest neighbour: white noise stays white, so that the observer loses nothing."""
    return low.repeat(2, axis=1).repeat(2, axis=2)


def blind(low):
    return np.full((len(low), 2 * low.shape[1], 2 * low.shape[2]), 0.5)


def blurred(low):
    return gaussian_filter(repeat(low), (0, 3, 3))


@pytest.fixture(scope="module")
def scores():
    high = gaussian_filter(np.random.default_rng(0).random((192, 192)), 4).astype(np.float32)
    methods = {
        "repeat": repeat,
        "bicubic": partial(bicubic, scale_factor=2),
        "blind": blind,
        "blurred": blurred,
    }
    # Many seeds: one slice's nine lesions leave the area under the curve uncertain by some hundredths.
    found = [score_lesions(high, methods, BINNING, 2, seed) for seed in range(6)]
    return {
        name: {key: np.mean([one[name][key] for one in found]) for key in LESION_METRICS} for name in methods
    }


def test_nearest_neighbours_are_seen_as_well_as_theory_says(scores):
    best = NormalDist().cdf(DETECTABILITY / math.sqrt(2))
    assert best == pytest.approx(0.921, abs=5e-4)
    assert scores["repeat"]["lesion_auc"] == pytest.approx(best, abs=0.025)
    assert scores["repeat"]["lesion_contrast"] == pytest.approx(1, abs=0.1)
    assert scores["bicubic"]["lesion_auc"] == pytest.approx(best, abs=0.03)


def test_what_loses_the_lesions_is_found_out(scores):
    assert scores["blind"]["lesion_auc"] == 0.5
    assert scores["blind"]["lesion_contrast"] == 0
    assert scores["blurred"]["lesion_contrast"] < 0.8
    assert scores["blurred"]["lesion_size"] > scores["repeat"]["lesion_size"] + 0.2


def test_a_lesion_that_is_made_larger_shows():
    high = np.full((192, 192), 0.5, dtype=np.float32)

    def grown(low):
        # Where something differs from the flat tissue, so do its neighbours.
        fine = repeat(low) - 0.5
        spread = [np.roll(fine, step, axis) for axis in (1, 2) for step in (-3, 3)]
        return 0.5 + np.mean([fine, *spread], axis=0)

    found = score_lesions(high, {"repeat": repeat, "grown": grown}, BINNING, 2)
    assert found["grown"]["lesion_size"] > found["repeat"]["lesion_size"] + 0.1


def test_no_contrast_is_no_detection():
    high = np.full((192, 192), 0.5, dtype=np.float32)
    found = score_lesions(high, {"repeat": repeat}, BINNING, 2, detectability=0)
    assert found["repeat"]["lesion_auc"] == 0.5


def test_an_observer_without_a_signal_guesses():
    generator = np.random.default_rng(0)
    curves = [area_under_curve(*generator.normal(size=(2, 12))) for _ in range(500)]
    assert np.mean(curves) == pytest.approx(0.5, abs=0.02)
    assert area_under_curve(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    # The same repetition's two answers share their noise and are not compared.
    assert area_under_curve(np.array([0.0, 5.0]), np.array([1.0, 6.0])) == 0.5


def test_placements_are_the_observer_s_operating_characteristic():
    present, absent = np.array([5.0, 1.0, 2.0]), np.array([0.0, 1.0, 4.0])
    # Of each answer with the lesion, the two of other repetitions without it: larger ones, a tie a half.
    assert placements(present, absent).tolist() == [0, 0.5, 0]
    assert area_under_curve(present, absent) == pytest.approx(5 / 6)


def test_every_lesion_has_a_reading_by_every_method():
    high = np.full((192, 192), 0.5, dtype=np.float32)
    found = read_lesions(high, {"repeat": repeat, "blind": blind}, BINNING, 2)
    assert len(found["repeat"]) == len(found["blind"]) == 9
    assert all((reading.placements == 0.5).all() for reading in found["blind"])
    scores = score_lesions(high, {"repeat": repeat, "blind": blind}, BINNING, 2)
    areas = [1 - reading.placements.mean() for reading in found["repeat"]]
    assert scores["repeat"]["lesion_auc"] == pytest.approx(np.mean(areas))


def test_lesions_lie_in_tissue_and_apart_and_are_the_same_for_all():
    high = np.zeros((192, 192), dtype=np.float32)
    high[:, 100:] = 0.5
    seen = []

    def watch(low):
        seen.append(low)
        return repeat(low)

    score_lesions(high, {"one": watch, "other": watch}, BINNING, 2, seed=3)
    score_lesions(high, {"again": watch}, BINNING, 2, seed=3)
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[0], seen[2])
    present, absent = np.split(seen[0], 2)
    change = present[0] - absent[0]
    np.testing.assert_allclose(present[5] - absent[5], change, atol=1e-6)
    assert np.abs(change[:, :49]).max() < 1e-3
    assert np.abs(change).max() > NOISE / 2
    assert (present - absent - change).std() < 1e-6
    assert absent.std(axis=0).mean() == pytest.approx(NOISE, rel=0.1)


def test_where_there_is_no_tissue_nothing_is_scored():
    found = score_lesions(np.zeros((192, 192), np.float32), {"repeat": repeat}, BINNING, 2)
    assert all(math.isnan(value) for value in found["repeat"].values())
    small = np.ones((CELL, CELL), np.float32)
    assert math.isnan(score_lesions(small, {"repeat": repeat}, BINNING, 2)["repeat"]["lesion_auc"])


def test_a_disc_has_its_area_and_its_height():
    for radius in RADII:
        disc = draw_disc((40, 40), Lesion(19.5, 20.25, 2 * radius, 1), 2)
        assert disc.sum() == pytest.approx(math.pi * (4 * radius**2 + 0.25), rel=0.02)
        assert 0 <= disc.min() <= disc.max() <= 1
