from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from monai_sr.trust.appearance import PIXELS
from monai_sr.trust.likeness import LEAST_SPREAD, SHRINKAGE, Likeness


def images(count=40, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, len(PIXELS)))
    return [dict(zip(PIXELS, row, strict=True)) | {"noise": 10 ** row[3]} for row in rows], rows


def test_the_distance_is_scipy_s():
    found, rows = images()
    covariance = np.cov(rows.T, bias=True)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(np.diag(covariance))
    inverse = np.linalg.inv(covariance + LEAST_SPREAD**2 * np.eye(len(PIXELS)))
    likeness = Likeness.of(found, np.ones(len(found)))
    for image, row in zip(found, rows, strict=True):
        assert likeness.distance(image) == pytest.approx(mahalanobis(row, rows.mean(0), inverse))


def test_a_weight_counts_as_so_many_images():
    found, _ = images(10)
    weighted = Likeness.of(found, [3.0] + [1.0] * 9)
    repeated = Likeness.of([found[0]] * 2 + found, np.ones(12))
    assert weighted.mean == pytest.approx(repeated.mean)
    assert weighted.covariance == pytest.approx(repeated.covariance)


def test_images_that_are_all_the_same_still_give_one():
    found, _ = images(1)
    other = found[0] | {"rim": found[0]["rim"] + LEAST_SPREAD}
    assert Likeness.of(found * 3, np.ones(3)).distance(other) == pytest.approx(1)


@pytest.mark.parametrize(
    "numbers", [([0.0] * 6, [0.0] * 28), ([0.0] * 7, [0.0] * 27), ([0.0] * 7, [0.0] * 28)]
)
def test_what_is_no_covariance_is_refused(numbers):
    with pytest.raises(ValueError, match=r"covariance|definite"):
        Likeness(*numbers)
