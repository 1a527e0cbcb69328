"""Which exact rewrites of a generator pay on a CPU.

The choice follows from the network and the kind of CPU alone, never from a clock, so that a second run adds
in the same order and gives the same pixels.
"""

from __future__ import annotations

import math

import torch
from torch import fx, nn

from monai_sr.runtimes.rewriting import (
    convolve_before_shuffle,
    dense,
    fold_batch_norm,
    merge_separable,
)

LANES = {"AVX512": 16, "AVX2": 8}
"""float32 values that one instruction computes: output channels are rounded up to them."""

DEPTHWISE_SLOWNESS = 4.0
"""A depthwise product's cost by a dense one's: each value loaded is used for one product alone."""


def rearranged(network: nn.Module) -> fx.GraphModule:
    """A generator as a CPU likes it: without batch norm, its output layer where the channels are many.

    Args:
        network: a generator.

    Returns:
        A network that computes the same.

    Raises:
        torch.fx.proxy.TraceError: if its structure cannot be followed.
    """
    lanes = LANES.get(torch.backends.cpu.get_cpu_capability(), 4)

    def cost(convolution: nn.Conv2d, factor: int = 1) -> float:
        """Products for each output pixel; with a factor, those of the convolution before that shuffle."""
        reach, phases = convolution.kernel_size[0] // 2, factor**2
        size = 2 * math.ceil(reach / factor) + 1
        outputs = math.ceil(convolution.out_channels * phases / lanes) * lanes
        return size**2 * convolution.in_channels * outputs

    def merges(depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> bool:
        taps = depthwise.kernel_size[0] ** 2 * depthwise.in_channels
        merged = dense(depthwise, pointwise)
        # Only an output layer, of few channels, gets cheaper by moving before a shuffle, which is by 2.
        return min(cost(merged), cost(merged, 2)) < DEPTHWISE_SLOWNESS * taps + cost(pointwise)

    def moves(convolution: nn.Conv2d, factor: int) -> bool:
        return cost(convolution, factor) < cost(convolution)

    return convolve_before_shuffle(merge_separable(fold_batch_norm(network), merges), moves)
