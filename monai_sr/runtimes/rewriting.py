"""A trained generator, rewritten so that it computes the same faster.

Every rewrite is exact: what changes is the order of additions, so outputs agree up to float32 rounding. They
are for inference; a rewritten network is not trained.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norm(network: nn.Module) -> fx.GraphModule:
    """Take each batch norm into the convolution before it, whose output it scales and shifts.

    Args:
        network: a generator.

    Returns:
        A copy without them, in evaluation mode.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()
        >>> [type(layer).__name__ for layer in fold_batch_norm(network).children()]
        ['Conv2d']
    """
    traced = trace(network)
    for nodes, (convolution, norm) in _chains(traced, nn.Conv2d, nn.BatchNorm2d):
        _replace(traced, nodes, fuse_conv_bn_eval(convolution, norm))
    return _finish(traced)


def merge_separable(
    network: nn.Module, chosen: Callable[[nn.Conv2d, nn.Conv2d], bool] = lambda depthwise, pointwise: True
) -> fx.GraphModule:
    """Make one dense convolution of a depthwise and the pointwise one behind it, between which nothing bends.

    It has up to kernel_size² times as many products to form, which matrix units do faster all the same
    where channels are few.

    Args:
        network: a generator whose batch norms are folded.
        chosen: which pairs to merge; all by default.

    Returns:
        A copy with the pairs merged, in evaluation mode.

    Example:
        >>> pair = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 6, 1))
        >>> list(merge_separable(pair).children())
        [Conv2d(4, 6, kernel_size=(3, 3), stride=(1, 1))]
    """
    traced = trace(network)
    for nodes, (depthwise, pointwise) in _chains(traced, nn.Conv2d, nn.Conv2d):
        if is_separable(depthwise, pointwise) and chosen(depthwise, pointwise):
            _replace(traced, nodes, dense(depthwise, pointwise))
    return _finish(traced)


def convolve_before_shuffle(
    network: nn.Module, chosen: Callable[[nn.Conv2d, int], bool] = lambda convolution, factor: True
) -> fx.GraphModule:
    """Move a pixel shuffle behind the activation and the convolution that follow it.

    The activation acts on each value alone, and a k×k convolution of shuffled pixels is one of the unshuffled
    channels with about k/r × k/r taps, which yields r² times as many channels: 5×5 for 9×9 and r = 2. The
    channels then fill vector and matrix units that a single output channel leaves idle.

    Args:
        network: a generator.
        chosen: which convolutions to move before a shuffle by that factor; all by default.

    Returns:
        A copy with the last steps in the other order, in evaluation mode.
    """
    traced = trace(network)
    chains = [
        *_chains(traced, nn.PixelShuffle, nn.PReLU, nn.Conv2d),
        *_chains(traced, nn.PixelShuffle, nn.Conv2d),
    ]
    for nodes, modules in chains:
        shuffle, convolution = modules[0], modules[-1]
        if keeps_size(convolution) and chosen(convolution, shuffle.upscale_factor):
            factor = shuffle.upscale_factor
            moved: list[nn.Module] = [_for_channels(prelu, factor**2) for prelu in modules[1:-1]]
            _replace(traced, nodes, nn.Sequential(*moved, unshuffled(convolution, factor), shuffle))
    return _finish(traced)


def is_separable(first: nn.Conv2d, second: nn.Conv2d) -> bool:
    """Whether two convolutions, one after the other, are a depthwise and a pointwise one."""
    return (
        first.groups == first.in_channels == first.out_channels
        and second.groups == 1
        and second.kernel_size == (1, 1)
        and second.stride == (1, 1)
        and second.padding == (0, 0)
    )


def keeps_size(convolution: nn.Conv2d) -> bool:
    """Whether a convolution is dense, of odd kernel, and pads by zeros to the size that it got."""
    size = convolution.kernel_size
    return (
        size[0] == size[1]
        and size[0] % 2 == 1
        and convolution.padding == (size[0] // 2, size[0] // 2)
        and convolution.stride == convolution.dilation == (1, 1)
        and convolution.groups == 1
        and convolution.padding_mode == "zeros"
    )


@torch.no_grad()
def dense(depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> nn.Conv2d:
    """The one convolution that two separable ones amount to.

    Args:
        depthwise: weight (C, 1, k, k).
        pointwise: weight (O, C, 1, 1).

    Returns:
        Weight (O, C, k, k), with the stride and padding of the first.
    """
    merged = copy.deepcopy(depthwise)
    merged.groups, merged.out_channels = 1, pointwise.out_channels
    mixing = pointwise.weight.double()
    weight = mixing * depthwise.weight.double()[None, :, 0]
    merged.weight = nn.Parameter(weight.to(depthwise.weight.dtype))
    offset = mixing.new_zeros(pointwise.out_channels)
    if depthwise.bias is not None:
        offset += mixing[:, :, 0, 0] @ depthwise.bias.double()
    if pointwise.bias is not None:
        offset += pointwise.bias.double()
    merged.bias = nn.Parameter(offset.to(depthwise.weight.dtype))
    return merged


@torch.no_grad()
def unshuffled(convolution: nn.Conv2d, factor: int) -> nn.Conv2d:
    """The convolution that does before a pixel shuffle what another does behind it.

    Args:
        convolution: on the shuffled pixels, weight (O, C, k, k), see `keeps_size`.
        factor: of the shuffle, r.

    Returns:
        Weight (O·r², C·r², k', k'), where k' is the odd size that reaches as far.
    """
    (size, _), outputs, inputs = convolution.kernel_size, convolution.out_channels, convolution.in_channels
    reach = size // 2
    low_reach = (reach + factor - 1) // factor
    low_size = 2 * low_reach + 1
    moved = nn.Conv2d(
        inputs * factor**2,
        outputs * factor**2,
        low_size,
        padding=low_reach,
        bias=convolution.bias is not None,
        dtype=convolution.weight.dtype,
        device=convolution.weight.device,
    )
    # Tap t of low-resolution neighbour `place`, phase `source`, as seen from an output of phase `target`.
    place = torch.arange(low_size)[None, None, :] - low_reach
    target, source = torch.arange(factor)[:, None, None], torch.arange(factor)[None, :, None]
    tap = factor * place + source - target + reach  # (target, source, place)
    inside = (tap >= 0) & (tap < size)
    rows = tap.clamp(0, size - 1)
    spread = convolution.weight[:, :, rows][:, :, :, :, :, rows]
    spread = spread * inside[:, :, :, None, None, None] * inside
    # (O, C, target row, source row, row, the same of columns) -> channels in the order of a shuffle
    weight = spread.permute(0, 2, 5, 1, 3, 6, 4, 7)
    moved.weight.copy_(weight.reshape(moved.weight.shape))
    if convolution.bias is not None and moved.bias is not None:
        moved.bias.copy_(convolution.bias.repeat_interleave(factor**2))
    return moved


def _for_channels(prelu: nn.PReLU, repeats: int) -> nn.PReLU:
    """A PReLU for channels that a shuffle by `repeats` phases has not joined yet."""
    slopes: Tensor = prelu.weight.detach()
    if prelu.num_parameters > 1:
        slopes = slopes.repeat_interleave(repeats)
    wider = nn.PReLU(len(slopes), dtype=slopes.dtype, device=slopes.device)
    wider.weight.data.copy_(slopes)
    return wider


def trace(network: nn.Module) -> fx.GraphModule:
    """A copy of a network in evaluation mode, as a graph of its layers.

    Args:
        network: any whose steps do not depend on the values.

    Returns:
        The graph.

    Raises:
        torch.fx.proxy.TraceError: if its structure cannot be followed.
    """
    try:
        return fx.symbolic_trace(copy.deepcopy(network).eval())
    except Exception as error:
        # Code that was not written for it fails in its own ways.
        raise TraceError(f"The structure of {type(network).__name__} cannot be followed.") from error


def _finish(traced: fx.GraphModule) -> fx.GraphModule:
    traced.graph.lint()
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced.eval()


def _chains(traced: fx.GraphModule, *types: type[nn.Module]) -> Iterator[tuple[list[fx.Node], list[Any]]]:
    """Modules of these types one behind the other, each used by the next one alone."""
    modules = dict(traced.named_modules())
    for start in list(traced.graph.nodes):
        nodes = [start]
        while len(nodes) < len(types) and len(nodes[-1].users) == 1:
            nodes.append(next(iter(nodes[-1].users)))
        found = [modules.get(str(node.target)) if node.op == "call_module" else None for node in nodes]
        if len(found) == len(types) and all(map(isinstance, found, types)):
            yield nodes, found


def _replace(traced: fx.GraphModule, nodes: list[fx.Node], module: nn.Module) -> None:
    """Put one module in the place of a chain of them."""
    first, last = nodes[0], nodes[-1]
    traced.add_submodule(str(first.target), module)
    last.replace_all_uses_with(first)
    for node in reversed(nodes[1:]):
        traced.graph.erase_node(node)
