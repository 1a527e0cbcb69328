from __future__ import annotations

import numpy as np
import pytest

from monai_sr.trust.rounding import mend, round_in_blocks


@pytest.mark.parametrize("scale_factor", [2, 3, 4])
def test_sums_of_blocks_stay(scale_factor):
    frame = np.random.default_rng(0).uniform(-5, 50, (12, 24)).astype(np.float32)
    whole = round_in_blocks(frame, scale_factor)
    assert np.array_equal(whole, whole.round())
    assert np.abs(whole - frame).max() < 1
    shape = (12 // scale_factor, scale_factor, 24 // scale_factor, scale_factor)
    assert np.abs((whole - frame).reshape(shape).sum((1, 3))).max() <= 0.5 + 1e-4


def test_whole_numbers_stay():
    frame = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert np.array_equal(round_in_blocks(frame, 2), frame)


def test_one_pixel_under_the_worst_is_changed():
    exact = np.array([[1.4, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]], np.float32)
    whole = np.round(exact)
    changed = mend(whole, exact, np.array([[-0.9, 0.1]], np.float32), 0.5, (0, 10))
    assert (changed - whole).tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]


def test_nothing_leaves_the_range():
    whole = exact = np.full((2, 2), 10, np.float32)
    assert np.array_equal(mend(whole, exact, np.array([[-0.9]], np.float32), 0.5, (0, 10)), whole)
