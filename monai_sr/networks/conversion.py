"""From one network to another that computes the same, to go on training from there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_sr.networks.edsr import EDSR
from monai_sr.networks.srresnet import SRResNet


@torch.no_grad()
def srresnet_from_edsr(edsr: EDSR, images: Tensor) -> SRResNet:
    """Write an EDSR as an SRResNet that computes the same, by which SRGAN's training can begin far ahead.

    They differ by batch norm, PReLU and SRResNet's larger kernels at both ends. Each batch norm gets the mean
    and the variance of what it normalises, and undoes them, so that training begins from nearly the same
    function, too.

    Args:
        edsr: with a residual scale of 1.
        images: low resolution, shape (N, in_channels, H, W), like those to come: statistics are of these.

    Returns:
        A network on the CPU with as many blocks and channels, whose output in evaluation is the EDSR's up
        to rounding.

    Raises:
        ValueError: if the EDSR scales its residuals, or by 3.

    Example:
        >>> edsr, image = EDSR(2, channels=4, num_blocks=1), torch.rand(1, 1, 8, 9)
        >>> torch.allclose(srresnet_from_edsr(edsr, image)(image), edsr(image), atol=1e-5)
        True
    """
    blocks: list[Any] = list(edsr.body.children())[:-1]
    if any(block.residual_scale != 1 for block in blocks):
        raise ValueError("edsr must have a residual scale of 1, as SRResNet knows no other.")
    network = SRResNet(
        edsr.scale_factor,
        edsr.head.in_channels,
        edsr.head.out_channels,
        len(blocks),
        global_skip=edsr.skip is not None,
    ).eval()
    body: list[Any] = list(network.body.children())
    _copy(edsr.head, network.head[0])
    for before, after in zip(blocks, body[:-2], strict=True):
        _copy(before.body[0], after.body[0], after.body[1])
        _copy(before.body[2], after.body[3], after.body[4])
    _copy(edsr.body[-1], *body[-2:])
    upsampling = [[m for m in n.upsampling if isinstance(m, nn.Conv2d)] for n in (edsr, network)]
    for before, after in zip(*upsampling, strict=True):
        _copy(before, after)
    _copy(edsr.tail, network.tail)
    for name, module in network.named_modules():
        if isinstance(module, nn.PReLU):
            # A ReLU inside blocks; where EDSR has no activation, none.
            module.weight.fill_(0.0 if name.startswith("body.") else 1.0)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(_undo) for norm in norms]
    network(images)
    for hook in hooks:
        hook.remove()
    return network


def _copy(source: Any, target: Any, norm: Any = None) -> None:
    """Put a kernel into the middle of a larger one, and its offset into the batch norm behind, if any."""
    margin = (target.kernel_size[0] - source.kernel_size[0]) // 2
    target.weight.copy_(F.pad(source.weight, [margin] * 4))
    (target if norm is None else norm).bias.copy_(source.bias)


def _undo(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
    """Let a batch norm add no more than its offset, just before it gets its first input."""
    variance, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
    statistics = dict(norm.named_buffers())
    statistics["running_mean"].copy_(mean)
    statistics["running_var"].copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.add_(mean)
