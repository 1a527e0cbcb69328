from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from monai_sr.intensity import IntensityRange

SHAPES = npst.array_shapes(min_dims=2, max_dims=3, max_side=8)
FLOATS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)


@given(npst.arrays(st.sampled_from([np.uint8, np.int8, np.uint16, np.int16]), SHAPES))
def test_stored_integers_come_back_exactly_through_single_precision(stored):
    found = IntensityRange.from_array(stored)
    seen_by_the_network = found.normalize(stored).astype(np.float32)
    restored = np.rint(found.restore(seen_by_the_network))
    np.testing.assert_array_equal(restored.astype(stored.dtype), stored)


@given(npst.arrays(np.float32, SHAPES, elements=FLOATS))
def test_floats_come_back_to_their_own_precision(stored):
    found = IntensityRange.from_array(stored)
    restored = found.restore(found.normalize(stored))
    # Double precision's rounding, relative to the numbers that take part in the subtraction.
    allowed = 8 * np.finfo(np.float64).eps * max(np.abs(stored).max(), abs(found.lower), abs(found.upper))
    np.testing.assert_allclose(restored, stored, rtol=0, atol=allowed)


@given(
    st.sampled_from([np.uint8, np.int16, np.uint16]).flatmap(lambda dtype: npst.arrays(dtype, SHAPES)),
    st.floats(1e-3, 100),
    st.floats(-2000, 2000),
)
def test_stored_integers_come_back_exactly_through_their_unit(stored, slope, intercept):
    real = stored * slope + intercept
    found = IntensityRange.from_array(real)
    restored = (found.restore(found.normalize(real)) - intercept) / slope
    np.testing.assert_array_equal(np.rint(restored).astype(stored.dtype), stored)


@given(npst.arrays(np.int16, SHAPES))
def test_order_is_kept_and_nothing_is_clipped(stored):
    normalized = IntensityRange.from_array(stored, 30, 60).normalize(stored).ravel()
    assert (
        np.sign(np.subtract.outer(normalized, normalized))
        == np.sign(np.subtract.outer(stored.ravel().astype(int), stored.ravel().astype(int)))
    ).all()


def test_integers_far_apart_do_not_overflow():
    found = IntensityRange.from_array(np.array([-1, 32767, 32767], np.int16), 30, 60)
    assert (found.lower, found.upper) == pytest.approx((-1 + 0.6 * 32768, 32767))


def test_percentiles_become_0_and_1():
    array = np.arange(1001.0)
    found = IntensityRange.from_array(array, 10, 80)
    assert (found.lower, found.upper) == (100, 800)
    assert found.normalize(np.array([100, 450, 800, 1000])) == pytest.approx([0, 0.5, 1, 9 / 7])


def test_an_almost_empty_image_takes_its_extremes():
    array = np.zeros((100, 100))
    array[0, 0] = 7
    assert IntensityRange.from_array(array) == IntensityRange(0, 7)


@pytest.mark.parametrize("value", [0, -1000, 65535])
def test_a_constant_image_becomes_0_and_comes_back(value):
    array = np.full((4, 4), value)
    found = IntensityRange.from_array(array)
    assert not found.normalize(array).any()
    np.testing.assert_array_equal(found.restore(found.normalize(array)), array)


def test_a_constant_image_of_any_size_has_a_range():
    array = np.full((4, 4), 1e20)
    found = IntensityRange.from_array(array)
    np.testing.assert_array_equal(found.restore(found.normalize(array)), array)


def test_values_that_are_not_finite_are_left_out():
    array = np.array([np.nan, np.inf, -np.inf, 2.0, 4.0])
    assert IntensityRange.from_array(array, 0, 100) == IntensityRange(2, 4)
    assert IntensityRange.from_array(array[:3]) == IntensityRange(0, 1)
    assert IntensityRange.from_array(np.empty(0)) == IntensityRange(0, 1)


@pytest.mark.parametrize(("lower", "upper"), [(1, 1), (2, 1), (np.nan, 1), (0, np.inf)])
def test_an_empty_range_is_refused(lower, upper):
    with pytest.raises(ValueError, match="lower must be below upper"):
        IntensityRange(lower, upper)
