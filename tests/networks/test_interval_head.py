"""`IntervalHead`."""

from __future__ import annotations

import pytest
import torch

from monai_sr.networks import IntervalHead


@pytest.mark.parametrize(("scale_factor", "parameters"), [(2, 12_268), (4, 17_752)])
def test_it_is_small_positive_and_of_the_finer_shape(scale_factor, parameters):
    head = IntervalHead(scale_factor)
    assert sum(parameter.numel() for parameter in head.parameters()) == parameters
    low = torch.rand(2, 1, 9, 7)
    found = head(low, torch.rand(2, 1, 9 * scale_factor, 7 * scale_factor))
    assert found.shape == (2, 1, 9 * scale_factor, 7 * scale_factor)
    assert found.min() > 0


def test_nothing_beyond_its_radius_takes_part():
    head = IntervalHead(2).eval()
    low, finer = torch.rand(1, 1, 30, 5), torch.rand(1, 1, 60, 10)
    other = low.clone(), finer.clone()
    other[0][..., 20:, :] += 1
    other[1][..., 40:, :] += 1
    change = (head(low, finer) - head(*other)).abs().amax((0, 1, 3))
    assert change[: 2 * (20 - head.RADIUS)].max() == 0
    assert change[2 * (20 - head.RADIUS) + 8 :].min() > 0


def test_a_scale_that_is_none_is_refused():
    with pytest.raises(ValueError, match="scale_factor must be 2 or more"):
        IntervalHead(1)
