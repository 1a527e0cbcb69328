from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from monai_sr.evaluate import bicubic, make_degradation, phantoms
from monai_sr.evaluate.phantom_tests import (
    PHANTOM_METRICS,
    count_structures,
    score_false_structures,
    score_phantoms,
)


def inventive(low):
    """Bicubic that puts a small disc into each image, where the phantoms have nothing."""
    image = bicubic(low, 2)
    image[:, 80:84, 90:94] += 0.15
    return image


def noisy(low):
    """Bicubic that shows the noise twice as strong."""
    image = bicubic(low, 2)
    return image + (image - bicubic(low[:1], 2)) * (len(low) > 1)


def sharpened(low):
    image = bicubic(low, 2)
    neighbours = [np.roll(image, step, axis) for axis in (1, 2) for step in (-1, 1)]
    return image + 0.5 * (image - np.mean(neighbours, axis=0))


@pytest.fixture(scope="module")
def scores():
    methods = {"bicubic": partial(bicubic, scale_factor=2)}
    methods |= {"inventive": inventive, "noisy": noisy, "sharpened": sharpened}
    return score_phantoms(methods, make_degradation("binning", 2), 2)


def test_bicubic_makes_nothing_up(scores):
    own = scores["bicubic"]
    assert own.keys() == PHANTOM_METRICS.keys()
    assert own["false_structures"] == 0
    assert own["noise_gain"] == pytest.approx(1)
    assert 0.7 < own["edge_spread"] < 1.5
    assert own["lesion_auc"] == pytest.approx(0.92, abs=0.05)


def test_a_planted_structure_is_counted_in_every_image(scores):
    side = phantoms.inner(2)[0]
    megapixels = (side.stop - side.start) ** 2 / 1e6
    assert scores["inventive"]["false_structures"] * megapixels == pytest.approx(1)
    assert scores["inventive"]["standing_out"] * megapixels == pytest.approx(1)
    assert scores["inventive"]["noise_gain"] == pytest.approx(1)


def test_noise_that_was_made_stronger_shows(scores):
    assert scores["noisy"]["noise_gain"] == pytest.approx(2, rel=0.01)
    assert scores["noisy"]["false_structures"] > 10
    assert scores["noisy"]["standing_out"] == 0


def test_structures_alone_are_the_same(scores):
    (alone,) = score_false_structures({"noisy": noisy}, make_degradation("binning", 2), 2).values()
    assert alone.keys() == {"false_structures", "standing_out", "noise_gain"}
    assert alone.items() <= scores["noisy"].items()


def test_sharpening_is_seen_in_edge_and_bars(scores):
    sharp, own = scores["sharpened"], scores["bicubic"]
    assert sharp["edge_spread"] < own["edge_spread"]
    assert sharp["overshoot"] > own["overshoot"]
    assert sharp["mtf_nyquist"] > own["mtf_nyquist"]
    assert sharp["mtf_half"] > own["mtf_half"]
    assert sharp["bars_fine"] > own["bars_fine"]
    # Binning folds bars that are too fine to coarser ones; sharpening shows those stronger.
    assert sharp["bars_false"] > own["bars_false"] > 0.1


def test_regions_are_counted_by_sign_and_size():
    image = np.zeros((24, 24))
    image[4:8, 4:8], image[4:8, 8:12], image[16, 16] = 1, -1, 1
    assert count_structures(image, 0.5, 2) == 2
    assert count_structures(image, 0.2, 1) == 3
    assert count_structures(image, 1.5, 2) == 0
