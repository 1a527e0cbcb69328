"""Precisions below float32, without the rounding that costs most: that of the image itself.

Intensities rounded to bfloat16's eight bits are 59 dB from the exact ones, and no later layer brings back
what is lost, while the roundings behind the first layer average out. So that layer gets the image as two
channels, what the precision holds of it and the remainder; what goes around the network stays float32.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError

from monai_sr.runtimes.rewriting import merge_separable

Run = Callable[[Tensor], Tensor]


class TwoParts(nn.Module):
    """A network of images in two channels, made one of images again.

    Args:
        network: maps (N, 2, H, W), see `split_image`, to (N, 1, H·s, W·s).
        skip: maps (N, 1, H, W) to what is added to that; None adds nothing.
        dtype: precision that the network computes in.
    """

    def __init__(self, network: Run, skip: Run | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.skip, self.dtype = network, skip, dtype

    def forward(self, image: Tensor) -> Tensor:
        """Map float32 (N, 1, H, W) to float32 (N, 1, H·s, W·s)."""
        held = image.to(self.dtype).to(image.dtype)
        pred = self.network(torch.cat([held, image - held], dim=1)).float()
        return pred if self.skip is None else pred + self.skip(image)


def split_image(network: nn.Module) -> tuple[fx.GraphModule, Run | None] | None:
    """Let a network take the image as two channels that add up to it, and give no more than its residual.

    Args:
        network: a generator of one channel.

    Returns:
        A copy that maps (N, 2, H, W) to (N, 1, H·s, W·s), in evaluation mode, and the interpolation of the
        image that is to be added to that, or None if the network has none. None instead of both where the
        image is used by anything but a convolution and such an interpolation, or the network's structure
        cannot be followed.

    Example:
        >>> from monai_sr import EDSR
        >>> network, skip = split_image(EDSR(scale_factor=2, num_blocks=1, global_skip=True))
        >>> [tuple(made.shape) for made in (network(torch.zeros(1, 2, 4, 4)), skip(torch.zeros(1, 1, 4, 4)))]
        [(1, 1, 8, 8), (1, 1, 8, 8)]
    """
    try:
        # A channel between a depthwise and a pointwise convolution would be rounded as the image is.
        traced = merge_separable(network, lambda depthwise, pointwise: depthwise.in_channels == 1)
    except TraceError:
        return None
    modules = dict(traced.named_modules())
    (image,) = (node for node in traced.graph.nodes if node.op == "placeholder")
    skip: Run | None = None
    for node in list(image.users):
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d) and module.in_channels == 1:
            traced.set_submodule(str(node.target), _of_two_parts(module))
        elif skip is None and _is_skip(node):
            (addition,) = node.users
            skip = partial(nn.functional.interpolate, **node.kwargs)
            (other,) = (term for term in addition.all_input_nodes if term is not node)
            addition.replace_all_uses_with(other)
            traced.graph.erase_node(addition)
            traced.graph.erase_node(node)
        else:
            return None
    traced.graph.lint()
    traced.recompile()
    return traced.eval(), skip


def _is_skip(node: fx.Node) -> bool:
    """Whether a node interpolates the image, and what comes of it is but added to the output."""
    if node.target is not nn.functional.interpolate or len(node.args) > 1 or len(node.users) != 1:
        return False
    (addition,) = node.users
    added = addition.target in (operator.add, torch.add) and len(addition.all_input_nodes) == 2
    return added and [user.op for user in addition.users] == ["output"]


@torch.no_grad()
def _of_two_parts(convolution: nn.Conv2d) -> nn.Conv2d:
    """The convolution of one channel, for two that add up to it."""
    wider = nn.Conv2d(
        2,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]  # of two dimensions here
        convolution.stride,  # type: ignore[arg-type]
        convolution.padding,  # type: ignore[arg-type]
        convolution.dilation,  # type: ignore[arg-type]
        bias=convolution.bias is not None,
        padding_mode=convolution.padding_mode,
        dtype=convolution.weight.dtype,
        device=convolution.weight.device,
    )
    wider.weight.copy_(convolution.weight.repeat(1, 2, 1, 1))
    if convolution.bias is not None and wider.bias is not None:
        wider.bias.copy_(convolution.bias)
    return wider
