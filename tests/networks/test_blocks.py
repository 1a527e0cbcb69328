from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_sr.networks.blocks import (
    InterpolatedSkip,
    SeparableConv2d,
    require_positive,
    shuffle_factors,
    start_from_skip,
)


@pytest.mark.parametrize(
    ("scale_factor", "factors"), [(1, []), (2, [2]), (3, [3]), (4, [2, 2]), (8, [2, 2, 2]), (16, [2] * 4)]
)
def test_steps_multiply_to_the_scale(scale_factor, factors):
    assert shuffle_factors(scale_factor) == factors
    assert math.prod(factors) == scale_factor


@pytest.mark.parametrize("scale_factor", [0, -2, 5, 6, 9])
def test_other_scales_are_refused(scale_factor):
    with pytest.raises(ValueError, match=f"scale_factor .* {scale_factor};"):
        shuffle_factors(scale_factor)


@pytest.mark.parametrize("value", [0, -1, -0.1])
def test_a_size_that_is_not_positive_is_named(value):
    require_positive(channels=1, residual_scale=0.1)
    with pytest.raises(ValueError, match="channels"):
        require_positive(num_blocks=1, channels=value)


@pytest.mark.parametrize("scale_factor", [2, 3, 4, 8])
def test_the_skip_keeps_a_point_in_place(scale_factor):
    point = torch.zeros(1, 1, 9, 12)
    point[..., 3, 7] = 1
    out = InterpolatedSkip(scale_factor)(point)[0, 0]
    for axis, index in ((0, 3), (1, 7)):
        profile = out.sum(1 - axis)
        # The centre of finer pixel i lies at (i + 0.5) / s - 0.5 of the coarse grid.
        position = (torch.arange(len(profile)) + 0.5) / scale_factor - 0.5
        assert (profile @ position / profile.sum()).item() == pytest.approx(index, abs=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_a_zeroed_tail_gives_nothing(bias):
    tail = nn.Conv2d(2, 1, 3, bias=bias)
    start_from_skip(tail)
    assert torch.equal(tail(torch.rand(1, 2, 5, 5)), torch.zeros(1, 1, 3, 3))


def test_a_zeroed_separable_tail_gives_nothing():
    tail = SeparableConv2d(2, 1, 3)
    start_from_skip(tail)
    assert torch.equal(tail(torch.rand(1, 2, 5, 5)), torch.zeros(1, 1, 5, 5))


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (9, 1), (3, 2)])
def test_a_separable_convolution_is_a_dense_one_of_products(kernel_size, stride):
    separable = SeparableConv2d(3, 5, kernel_size, stride, bias=False)
    spatial, pointwise = separable[0].weight, separable[1].weight
    dense = pointwise * spatial.squeeze(1)[None]
    x = torch.rand(2, 3, 13, 10)
    torch.testing.assert_close(separable(x), F.conv2d(x, dense, stride=stride, padding=kernel_size // 2))
