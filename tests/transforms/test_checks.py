from __future__ import annotations

import math

import pytest

from monai_sr.transforms.checks import interval, not_negative, probability


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (not_negative, [0, 0.5, 7], [-0.1, math.nan]),
        (probability, [0, 0.5, 1], [-0.1, 1.1, math.nan]),
        (interval, [(0, 0), [0.1, 2]], [(1, 0), (1,), (0, 1, 2), (math.nan, 1)]),
    ],
)
def test_good_values_come_back_and_bad_ones_are_named(check, good, bad):
    for value in good:
        assert check("strength", value) is value
    for value in bad:
        with pytest.raises(ValueError, match="strength must be"):
            check("strength", value)
