"""Training a network on planes that are sharp, by making slices of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from monai_sr.errors import InputError
from monai_sr.through_plane.grid import SliceGrid
from monai_sr.through_plane.restoration import Restoration

SLICES = 12
"""Of a patch."""

WIDTH = 40
BATCH = 12
WARM_UP = 0.03
"""Part of the training in which the learning rate rises."""

DARK = 0.1
"""A patch of a lower mean holds no more than background and is seldom taken."""

_TRIES = 4
_MAX_NORM = 0.5
_LEAST_ERROR = 1e-8

Planes = Sequence[NDArray[np.float32]]


class PatchSampler:
    """Random pieces of planes, in either direction and mirrored.

    Args:
        planes: shape (H, W) each, intensities about [0, 1].
        seed: of the choice.

    Raises:
        ValueError: if there is no plane.
    """

    def __init__(self, planes: Planes, seed: int) -> None:
        if not len(planes):
            raise ValueError("planes is empty; give at least one")
        self._planes = planes
        self._random = np.random.default_rng(seed)

    def __call__(self, height: int, width: int, count: int) -> torch.Tensor:
        """Take some.

        Args:
            height: along the axis of which slices are made.
            width: across it.
            count: how many.

        Returns:
            Shape (count, 1, height, width).

        Raises:
            InputError: if no plane is as large.
        """
        # A plane too small in one direction may do in the other.
        fitting = [
            (number, turned)
            for number, plane in enumerate(self._planes)
            for turned, (rows, columns) in ((False, plane.shape), (True, plane.shape[::-1]))
            if rows >= height and columns >= width
        ]
        if not fitting:
            raise InputError(f"No slice has the {height} x {width} pixels that training on it takes.")
        return torch.from_numpy(np.stack([self._one(fitting, height, width) for _ in range(count)]))[:, None]

    def _one(self, fitting: list[tuple[int, bool]], height: int, width: int) -> NDArray[np.float32]:
        for _ in range(_TRIES):
            number, turned = fitting[self._random.integers(len(fitting))]
            plane = self._planes[number].T if turned else self._planes[number]
            row = self._random.integers(plane.shape[0] - height + 1)
            column = self._random.integers(plane.shape[1] - width + 1)
            patch = plane[row : row + height, column : column + width]
            if patch.mean() >= DARK:
                break
        flips = self._random.choice([1, -1], 2)
        return np.ascontiguousarray(patch[:: flips[0], :: flips[1]])


def train(
    network: nn.Module,
    sampler: PatchSampler,
    choose: Callable[[int], SliceGrid],
    iterations: int,
    learning_rate: float,
    device: torch.device | str = "cpu",
    width: int = WIDTH,
    on_iteration: Callable[[int, float], None] = lambda number, loss: None,
) -> None:
    """Train in place, on the mean squared difference as a part of that of the smoothest finer slices.

    Args:
        network: as of `Restoration`.
        sampler: gives the truth.
        choose: the sampling of a batch, from the iteration's number.
        iterations: batches in all.
        learning_rate: Adam's at its height; it rises at first and falls to 0 as a cosine.
        device: of the network.
        width: of a patch.
        on_iteration: called with an iteration's number, from 1, and its loss.

    Raises:
        InputError: if no plane is large enough.
    """
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), learning_rate)
    for number in range(iterations):
        done = number / iterations
        rate = (
            learning_rate * min(1.0, (done + 1 / iterations) / WARM_UP) * (1 + math.cos(math.pi * done)) / 2
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        grid = choose(number)
        restore = Restoration(network, grid, device)
        truth = sampler(grid.fine, width, BATCH).to(device)
        slices = restore.degrade(truth)
        # By the error that the network begins with, no ratio and no contrast outweighs the others.
        smooth = (restore.interpolate(slices) - truth).square().mean().clamp(min=_LEAST_ERROR)
        loss = (restore(slices) - truth).square().mean() / smooth
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), _MAX_NORM)
        optimizer.step()
        on_iteration(number + 1, float(loss.detach()))
    network.eval()
