from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_sr.networks import SwiftSRGAN


@pytest.mark.parametrize(("in_channels", "count"), [(1, 200_787), (3, 201_209)])
def test_the_paper_s_network_has_its_number_of_parameters(in_channels, count):
    with torch.device("meta"):
        network = SwiftSRGAN(scale_factor=4, in_channels=in_channels)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize(("scale_factor", "steps"), [(2, 1), (4, 2), (8, 3)])
@pytest.mark.parametrize(("in_channels", "size"), [(1, (5, 7)), (3, (6, 4)), (1, (1, 1))])
def test_output_is_the_input_times_the_scale(scale_factor, steps, in_channels, size):
    network = SwiftSRGAN(scale_factor, in_channels=in_channels, channels=4, num_blocks=1).eval()
    out = network(torch.rand(2, in_channels, *size))
    assert out.shape == (2, in_channels, size[0] * scale_factor, size[1] * scale_factor)
    assert network.scale_factor == scale_factor
    assert sum(isinstance(module, nn.PixelShuffle) for module in network.modules()) == steps


@pytest.mark.parametrize("global_skip", [False, True])
def test_it_can_be_scripted(global_skip):
    network = SwiftSRGAN(2, channels=4, num_blocks=1, global_skip=global_skip).eval()
    x = torch.rand(1, 1, 7, 5)
    torch.testing.assert_close(torch.jit.script(network)(x), network(x))


def test_with_a_global_skip_it_starts_as_the_bicubic_interpolation():
    x = torch.rand(1, 1, 9, 8)
    out = SwiftSRGAN(4, channels=4, num_blocks=1, global_skip=True)(x)
    assert torch.equal(out, F.interpolate(x, scale_factor=4, mode="bicubic", align_corners=False))


def test_without_a_global_skip_the_output_is_within_0_and_1():
    out = SwiftSRGAN(2, channels=4, num_blocks=1).eval()(torch.randn(1, 1, 9, 8) * 100)
    assert 0 <= out.min() < out.max() <= 1


def test_only_slopes_that_are_not_applied_are_frozen():
    network = SwiftSRGAN(2, channels=4, num_blocks=3)
    network(torch.rand(2, 1, 6, 6)).sum().backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == (not parameter.requires_grad), name
    idle = sum(parameter.numel() for parameter in network.parameters() if not parameter.requires_grad)
    assert idle == 4 * (3 + 1)


def test_in_evaluation_each_image_stands_alone():
    network = SwiftSRGAN(2, channels=4, num_blocks=1)
    network(torch.rand(2, 1, 6, 6))
    x = torch.rand(3, 1, 6, 6)
    torch.testing.assert_close(network.eval()(x)[:1], network(x[:1]))


@pytest.mark.parametrize(
    "arguments",
    [{"scale_factor": 3}, {"scale_factor": 6}, {"in_channels": 0}, {"channels": -1}, {"num_blocks": 0}],
)
def test_wrong_arguments_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        SwiftSRGAN(**{"scale_factor": 2, **arguments})
