from __future__ import annotations

import pytest

from monai_sr.engines.ramp import cosine_ramp


def test_no_ramp_counts_from_the_first_iteration():
    assert cosine_ramp(1) == 1


def test_a_delay_alone_steps_to_one():
    assert [cosine_ramp(iteration, delay=2) for iteration in range(1, 5)] == [0, 0, 1, 1]


def test_half_a_cosine_wave_after_the_delay():
    values = [cosine_ramp(iteration, delay=10, length=100) for iteration in range(1, 131)]
    assert values[:11] == [0] * 11
    assert values[110:] == [1] * 20
    assert values == sorted(values)
    assert values[60] == pytest.approx(0.5)
    assert values[35] == pytest.approx((1 - 2**-0.5) / 2)
