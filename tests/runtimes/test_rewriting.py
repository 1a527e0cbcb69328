"""Rewritten networks compute the same."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from monai_sr.networks import EDSR, SRResNet, SwiftSRGAN
from monai_sr.runtimes.rewriting import (
    convolve_before_shuffle,
    dense,
    fold_batch_norm,
    merge_separable,
    unshuffled,
)
from tests.runtimes.networks import trained

SIZES = [(1, 1), (7, 9), (24, 33)]


def everything(network: nn.Module) -> nn.Module:
    return convolve_before_shuffle(merge_separable(fold_batch_norm(network)))


@torch.no_grad()
@pytest.mark.parametrize("global_skip", [False, True])
@pytest.mark.parametrize("scale_factor", [2, 4, 8])
@pytest.mark.parametrize("network_type", [EDSR, SRResNet, SwiftSRGAN])
@pytest.mark.parametrize("rewrite", [fold_batch_norm, merge_separable, convolve_before_shuffle, everything])
def test_computes_the_same(rewrite, network_type, scale_factor, global_skip):
    network = trained(network_type, scale_factor, global_skip).double()
    rewritten = rewrite(network)
    for size in SIZES:
        image = torch.rand(2, 1, *size, dtype=torch.float64)
        expected = network(image)
        torch.testing.assert_close(rewritten(image), expected, rtol=1e-11, atol=1e-11)
        single = rewrite(network.float())(image.float()).double()
        assert float((single - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
        network.double()


def test_leaves_the_network_alone():
    network = trained(SwiftSRGAN, 2, True)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    everything(network)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_does_what_it_says():
    rewritten = list(everything(trained(SwiftSRGAN, 2, True)).modules())
    convolutions = [module for module in rewritten if isinstance(module, nn.Conv2d)]
    assert not any(isinstance(module, nn.BatchNorm2d) for module in rewritten)
    assert all(convolution.groups == 1 for convolution in convolutions)
    assert convolutions[-1].kernel_size == (5, 5)
    assert convolutions[-1].out_channels == 4


def test_only_the_chosen_are_rewritten():
    network = fold_batch_norm(trained(SwiftSRGAN, 2, True))
    kept = merge_separable(network, lambda depthwise, pointwise: depthwise.kernel_size == (9, 9))
    sizes = {module.kernel_size for module in kept.modules() if getattr(module, "groups", 1) > 1}
    assert sizes == {(3, 3)}
    same = convolve_before_shuffle(network, lambda convolution, factor: False)
    assert [type(module) for module in same.children()] == [type(module) for module in network.children()]


@settings(deadline=None, max_examples=40)
@given(
    size=st.sampled_from([1, 3, 5, 7, 9, 11]),
    factor=st.sampled_from([2, 3, 4]),
    channels=st.integers(1, 3),
    outputs=st.integers(1, 3),
    bias=st.booleans(),
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
)
def test_any_convolution_moves_before_any_shuffle(size, factor, channels, outputs, bias, rows, columns):
    convolution = nn.Conv2d(channels, outputs, size, padding=size // 2, bias=bias).double()
    shuffle = nn.PixelShuffle(factor)
    image = torch.rand(1, channels * factor**2, rows, columns, dtype=torch.float64)
    moved = unshuffled(convolution, factor)
    torch.testing.assert_close(shuffle(moved(image)), convolution(shuffle(image)), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [(True, True), (True, False), (False, True), (False, False)])
def test_dense_is_the_two_of_them(stride, bias):
    depthwise = nn.Conv2d(3, 3, 5, stride, 2, groups=3, bias=bias[0]).double()
    pointwise = nn.Conv2d(3, 4, 1, bias=bias[1]).double()
    image = torch.rand(1, 3, 8, 7, dtype=torch.float64)
    merged = dense(depthwise, pointwise)
    torch.testing.assert_close(merged(image), pointwise(depthwise(image)), rtol=1e-10, atol=1e-10)
