from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from monai_sr.networks import EDSR


def parameters(**arguments):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in EDSR(**arguments).parameters())


@pytest.mark.parametrize(("scale_factor", "count"), [(2, 1_367_553), (3, 1_552_193), (4, 1_515_265)])
def test_the_paper_s_baseline_has_its_number_of_parameters(scale_factor, count):
    assert parameters(scale_factor=scale_factor) == count


@pytest.mark.parametrize(("scale_factor", "millions"), [(2, 40.73), (3, 43.68), (4, 43.09)])
def test_the_paper_s_full_model_has_its_number_of_parameters(scale_factor, millions):
    count = parameters(
        scale_factor=scale_factor, in_channels=3, channels=256, num_blocks=32, residual_scale=0.1
    )
    assert round(count / 1e6, 2) == millions


@pytest.mark.parametrize("scale_factor", [2, 3, 4, 8])
@pytest.mark.parametrize(("in_channels", "size"), [(1, (5, 7)), (3, (8, 6)), (1, (1, 1))])
def test_output_is_the_input_times_the_scale(scale_factor, in_channels, size):
    network = EDSR(scale_factor, in_channels=in_channels, channels=4, num_blocks=1)
    out = network(torch.rand(2, in_channels, *size))
    assert out.shape == (2, in_channels, size[0] * scale_factor, size[1] * scale_factor)
    assert network.scale_factor == scale_factor


@pytest.mark.parametrize("global_skip", [False, True])
def test_it_can_be_scripted(global_skip):
    network = EDSR(4, channels=4, num_blocks=1, global_skip=global_skip).eval()
    x = torch.rand(1, 1, 7, 5)
    torch.testing.assert_close(torch.jit.script(network)(x), network(x))


@pytest.mark.parametrize("scale_factor", [2, 3])
def test_with_a_global_skip_it_starts_as_the_bicubic_interpolation(scale_factor):
    x = torch.rand(1, 1, 9, 8)
    out = EDSR(scale_factor, channels=4, num_blocks=1, global_skip=True)(x)
    assert torch.equal(out, F.interpolate(x, scale_factor=scale_factor, mode="bicubic", align_corners=False))


def test_a_global_skip_adds_no_parameters_and_is_off_by_default():
    assert EDSR(2, channels=4, num_blocks=1).skip is None
    plain, skipping = (
        EDSR(2, channels=4, num_blocks=1, global_skip=skip).state_dict() for skip in (False, True)
    )
    assert plain.keys() == skipping.keys()


def test_the_first_step_of_training_reaches_the_zeroed_tail_and_the_second_the_head():
    network = EDSR(2, channels=4, num_blocks=1, global_skip=True)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    x, target = torch.rand(1, 1, 6, 6), torch.rand(1, 1, 12, 12)
    for _ in range(2):
        optimizer.zero_grad()
        F.mse_loss(network(x), target).backward()
        optimizer.step()
    assert network.tail.weight.any()
    assert network.head.weight.grad.any()


def test_the_residual_scale_weighs_each_residual():
    network = EDSR(2, channels=4, num_blocks=1, residual_scale=0.1)
    x = torch.rand(1, 4, 6, 6)
    block = network.body[0]
    torch.testing.assert_close(block(x) - x, 0.1 * block.body(x))


@pytest.mark.parametrize(
    "arguments",
    [
        {"scale_factor": 5},
        {"scale_factor": 0},
        {"in_channels": 0},
        {"channels": -1},
        {"num_blocks": 0},
        {"residual_scale": 0.0},
    ],
)
def test_wrong_arguments_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        EDSR(**{"scale_factor": 2, **arguments})
