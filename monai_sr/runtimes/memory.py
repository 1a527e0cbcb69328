"""How much memory a network takes, and the largest tile within a limit."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError

from monai_sr.errors import InputError
from monai_sr.runtimes.rewriting import trace

GIBIBYTE = 2**30

RESERVED = GIBIBYTE
"""Bytes for Python, its libraries and a compiled network; 0.75 GiB of them are taken at the start."""

MARGIN = 1.25
"""What a runtime needs, by what its largest step reads and writes; 0.7 to 1.1 were measured."""

UNKNOWN_BYTES = 16 * 1024
"""Bytes for each input pixel of a network that cannot be followed, twice what any of ours takes."""

BYTES_IN = 48
"""What is held for each pixel of a frame that was read, in several types."""

COPIES_OUT = 2
"""How often a finer frame is held, beside those that are made ahead: as it was made, and as it is encoded."""

EXAMPLE_SIZE = 16
"""Rows and columns of the image on which a network is followed."""

INTERVAL_BYTES = 24
"""What the intervals of frames take for each finer pixel, beside copies that wait for their writer."""


def bytes_held(itemsize: int, scale_factor: int, copies: int = 1, intervals: bool = False) -> int:
    """Memory that frames take beside the network.

    Args:
        itemsize: bytes of a stored value.
        scale_factor: enlargement.
        copies: how often a finer frame is held.
        intervals: whether the half-widths of intervals are, too.

    Returns:
        Bytes for each pixel of a frame that was read.

    Example:
        >>> bytes_held(2, 2) - BYTES_IN
        8
    """
    finer = copies * itemsize
    if intervals:
        finer += copies * 4 + INTERVAL_BYTES
    return BYTES_IN + scale_factor**2 * finer


def bytes_per_pixel(network: nn.Module) -> int:
    """Memory that a network takes to compute, by the size of its image.

    Args:
        network: a generator.

    Returns:
        Bytes of float32 that exist at once, at most, for each input pixel, with a margin.

    Example:
        >>> bytes_per_pixel(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU()))  # 4 channels in, 4 out
        40
    """
    try:
        steps = _Sizes(trace(network))
        with torch.inference_mode():
            steps.run(torch.zeros(1, 1, EXAMPLE_SIZE, EXAMPLE_SIZE))
    except (TraceError, RuntimeError):
        return UNKNOWN_BYTES
    nodes = list(steps.sizes)
    order = {node: index for index, node in enumerate(nodes)}
    last_use = {node: max((order.get(user, 0) for user in node.users), default=0) for node in nodes}
    alive = [
        sum(steps.sizes[node] for node in nodes[: index + 1] if node is at or last_use[node] >= index)
        for index, at in enumerate(nodes)
    ]
    return math.ceil(4 * MARGIN * max(alive) / EXAMPLE_SIZE**2)


class _Sizes(fx.Interpreter):
    """Runs a graph and keeps how many values each of its steps yields."""

    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__(traced.cpu().float())
        self.sizes: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor) and n.op not in ("get_attr", "output"):
            self.sizes[n] = result.numel()
        return result


def largest_tile(limit: int, held: int, per_pixel: int, radius: int, rows: int, columns: int) -> int:
    """The largest tile whose computation stays within a limit.

    Args:
        limit: bytes that the process may take.
        held: bytes of the frames that are in memory meanwhile.
        per_pixel: bytes for each pixel of a tile, see `bytes_per_pixel`.
        radius: by which tiles overlap, see `receptive_radius`.
        rows: of the whole image.
        columns: of the whole image.

    Returns:
        Side in pixels; the larger side of the image where it fits as a whole.

    Raises:
        InputError: if not even the smallest useful tile fits; says the least limit.

    Example:
        >>> [largest_tile(limit * GIBIBYTE, 0, 8000, 40, 512, 512) for limit in (4, 2)]
        [512, 360]
    """
    free = limit - RESERVED - held
    if rows * columns * per_pixel <= free:
        return max(rows, columns)
    # Below three radii, eight of nine pixels would be computed for their neighbours alone.
    smallest = min(8 * math.ceil(3 * radius / 8) + 8, max(rows, columns))
    side = math.isqrt(max(0, free // per_pixel)) // 8 * 8
    if side < smallest:
        least = (RESERVED + held + smallest**2 * per_pixel) / GIBIBYTE
        raise InputError(
            f"--memory is too small for an image of {rows} x {columns} pixels: "
            f"use {math.ceil(10 * least) / 10:.1f}G or more."
        )
    return side
