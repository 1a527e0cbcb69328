"""Large images in tiles that give the same pixels as the whole would."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.fx.proxy import TraceError

from monai_sr.runtimes.rewriting import trace

UNKNOWN_RADIUS = 128
"""Pixels that a network of unknown structure may look at: more than any of ours does."""

POINTWISE = (nn.BatchNorm2d, nn.ReLU, nn.PReLU, nn.LeakyReLU, nn.Identity)
"""Layers in evaluation mode that map each pixel by itself."""

FUNCTIONS = (operator.add, operator.mul, torch.add, torch.mul, nn.functional.interpolate)
"""Functions that look no further than the convolutions around which they lead."""


def receptive_radius(network: nn.Module) -> int:
    """How far an output pixel looks, which tiles must overlap by.

    Args:
        network: a generator whose convolutions and pixel shuffles follow each other; paths around them, such
            as residual connections and an interpolated skip, reach less far.

    Returns:
        Most input pixels, in rows or in columns, between an output pixel and one that it depends on;
        `UNKNOWN_RADIUS` if its structure cannot be followed, or has layers of other kinds.

    Example:
        >>> receptive_radius(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2)))
        1
    """
    try:
        traced = trace(network)
    except TraceError:
        return UNKNOWN_RADIUS
    modules = dict(traced.named_modules())
    radius = 0
    for node in reversed(traced.graph.nodes):
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if node.op == "call_method" or (node.op == "call_function" and node.target not in FUNCTIONS):
            return UNKNOWN_RADIUS
        if isinstance(module, nn.Conv2d) and set(module.stride) == {1}:
            radius += max(
                step * (size - 1) // 2 for step, size in zip(module.dilation, module.kernel_size, strict=True)
            )
        elif isinstance(module, nn.PixelShuffle):
            radius = math.ceil(radius / module.upscale_factor)
        elif node.op == "call_module" and not isinstance(module, POINTWISE):
            return UNKNOWN_RADIUS
    return radius


def pieces(
    run: Callable[[Tensor], Tensor], image: Tensor, scale_factor: int, tile: int, radius: int
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Compute an image piece by piece, each with all the surroundings that it depends on.

    MONAI's sliding windows blend their borders instead, by which no pixel stays what the whole image gives.

    Args:
        run: maps (N, 1, h, w) to (N, 1, h·s, w·s).
        image: shape (N, 1, H, W).
        scale_factor: s.
        tile: most rows and columns that are given to `run`, more than twice the radius unless the image is no
            larger.
        radius: of `run`, see `receptive_radius`.

    Yields:
        Rows, columns of the image, and what `run` makes of them, shape (N, 1, rows·s, columns·s). Every pixel
        comes once.

    Raises:
        ValueError: if the tile is too small.
    """
    rows, columns = image.shape[2:]
    if max(rows, columns) > tile and tile <= 2 * radius:
        raise ValueError(f"tile is {tile}: give more than twice the radius of {radius}.")
    for row, column in product(_windows(rows, tile, radius), _windows(columns, tile, radius)):
        part = run(image[:, :, row.window, column.window])
        yield row.kept, column.kept, part[:, :, row.inner(scale_factor), column.inner(scale_factor)]


@dataclass(frozen=True)
class _Window:
    """Along one axis: pixels `start` to `stop`, of which `first` to `last` are kept."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def window(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def kept(self) -> slice:
        return slice(self.first, self.last)

    def inner(self, scale_factor: int) -> slice:
        """What is kept, in what was computed of the window."""
        return slice((self.first - self.start) * scale_factor, (self.last - self.start) * scale_factor)


def _windows(size: int, tile: int, radius: int) -> list[_Window]:
    """Windows of one size, which keep every pixel once, `radius` or more from an end that is no border."""
    if size <= tile:
        return [_Window(0, size, 0, size)]
    step = tile - 2 * radius
    bounds = [0, *range(radius + step, size - radius, step), size]
    starts = [min(max(first - radius, 0), size - tile) for first in bounds[:-1]]
    return [
        _Window(start, start + tile, first, last)
        for start, first, last in zip(starts, bounds, bounds[1:], strict=False)
    ]
