"""Large images in tiles that give the same pixels as the whole would."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from torch import Tensor, nn

from monai_sr.runtimes.rewriting import trace


def receptive_radius(network: nn.Module) -> int:
    """How far an output pixel looks, which tiles must overlap by.

    Args:
        network: a generator whose convolutions and pixel shuffles follow each other; paths around them, such
            as residual connections and an interpolated skip, reach less far.

    Returns:
        Most input pixels, in rows or in columns, between an output pixel and one that it depends on.

    Raises:
        torch.fx.proxy.TraceError: if its structure cannot be followed.

    Example:
        >>> receptive_radius(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2)))
        1
    """
    traced = trace(network)
    modules = dict(traced.named_modules())
    radius = 0
    for node in reversed(traced.graph.nodes):
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d):
            radius += max(
                step * (size - 1) // 2 for step, size in zip(module.dilation, module.kernel_size, strict=True)
            )
        elif isinstance(module, nn.PixelShuffle):
            radius = math.ceil(radius / module.upscale_factor)
    return radius


def tiled(
    run: Callable[[Tensor], Tensor], image: Tensor, scale_factor: int, tile: int, radius: int
) -> Tensor:
    """Compute an image piece by piece, each with all the surroundings that it depends on.

    MONAI's sliding windows blend their borders instead, by which no pixel stays what the whole image gives.

    Args:
        run: maps (N, 1, h, w) to (N, 1, h·s, w·s).
        image: shape (N, 1, H, W).
        scale_factor: s.
        tile: most rows and columns that are given to `run`, more than twice the radius.
        radius: of `run`, see `receptive_radius`.

    Returns:
        Shape (N, 1, H·s, W·s).

    Raises:
        ValueError: if the tile is too small.
    """
    if tile <= 2 * radius:
        raise ValueError(f"tile is {tile}: give more than twice the radius of {radius}.")
    rows, columns = image.shape[2:]
    if max(rows, columns) <= tile:
        return run(image)
    high = image.new_empty(*image.shape[:2], rows * scale_factor, columns * scale_factor)
    for row, column in product(_windows(rows, tile, radius), _windows(columns, tile, radius)):
        part = run(image[:, :, row.window, column.window])
        high[:, :, row.kept(scale_factor), column.kept(scale_factor)] = part[
            :, :, row.kept_of_window(scale_factor), column.kept_of_window(scale_factor)
        ]
    return high


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

    def kept(self, scale_factor: int) -> slice:
        return slice(self.first * scale_factor, self.last * scale_factor)

    def kept_of_window(self, scale_factor: int) -> slice:
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
