"""A loss that is small where a network leaves faint lesions as detectable as they came."""

from __future__ import annotations

import numpy as np
import torch

from monai_sr.evaluate.lesions import DETECTABILITY, MARGIN, MIN_TISSUE, NOISE, RADII, Lesion, draw_disc
from monai_sr.evaluate.pairs import Degradation

SIDE = 20
"""Of the part of a slice that a lesion is put into, in low-resolution pixels."""

GREY, CONTRAST = 0.5, 0.1
"""Of a slice and of the lesion on it that is degraded to see what remains: within [0, 1]."""


class LesionLoss:
    """What is lost of the detectability of lesions in noise, of any network.

    As `hallucination.py` measures it, the observer is a matched filter that cannot undo what the network did
    to the noise. Of a lesion d in white noise of variance σ² it gets s from a network with Jacobian J, and
    its detectability squared is |s|⁴ / (σ² |Jᵀs|²); the best observer's of the source is |d|² / σ². The loss
    is the logarithm of the second over the first: of a linear network 0 at least, and 0 where JᵀJ only scales
    d; one that is not may make a lesion stand out, and go below.

    Args:
        degradation: that the network was made for.
        scale: scale factor.
        seed: of places and lesions.

    Reference:
        Barrett and Myers, Foundations of Image Science, 2004, chapter 13: the observer.
    """

    def __init__(self, degradation: Degradation, scale: int, seed: int) -> None:
        self.degradation = degradation
        self.scale = scale
        self.rng = np.random.default_rng(seed)

    def __call__(self, network: torch.nn.Module, low: torch.Tensor) -> torch.Tensor:
        """Mean over one lesion in a part of each slice that shows tissue there; 0 if none does.

        Args:
            network: takes (B, 1, h, w), gives (B, 1, scale·h, scale·w); twice differentiable.
            low: low-resolution slices without noise, shape (B, 1, h, w), about [0, 1], none of h, w below 20.

        Returns:
            A scalar to differentiate by the network's parameters.
        """
        parts = [self._part(slice_) for slice_ in low]
        parts = [part for part in parts if part.mean() > MIN_TISSUE]
        if not parts:
            return low.new_zeros(())
        drawn = [self._lesion() for _ in parts]
        signal, window = (torch.stack(each)[:, None] for each in zip(*drawn, strict=True))
        source = torch.stack(parts)
        source = (source + NOISE * torch.randn_like(source)).requires_grad_()
        finer = network(source)
        shown = (network(source.detach() + signal) - finer) * window
        (passed,) = torch.autograd.grad(finer, source, shown, create_graph=True)
        energy, noise, whole = (each.square().sum((1, 2, 3)) for each in (shown, passed, signal))
        return (noise * whole / energy.square()).log().mean()

    def _part(self, slice_: torch.Tensor) -> torch.Tensor:
        row, column = (int(self.rng.integers(size - SIDE + 1)) for size in slice_.shape[-2:])
        return slice_[:, row : row + SIDE, column : column + SIDE]

    def _lesion(self) -> tuple[torch.Tensor, torch.Tensor]:
        """A lesion as it comes, of the detectability that is measured, and where its observer looks."""
        row, column = SIDE / 2 + self.rng.uniform(-1, 1, 2)
        radius, sign = self.rng.choice(RADII), self.rng.choice((-1.0, 1.0))
        shape = (SIDE * self.scale, SIDE * self.scale)
        found = Lesion(*(float(length) * self.scale for length in (row, column, radius)), contrast=1.0)
        disc = torch.from_numpy(draw_disc(shape, found, self.scale).astype(np.float32))[None]
        flat = torch.full_like(disc, GREY)
        seen = torch.as_tensor(self.degradation(flat + CONTRAST * disc)) - torch.as_tensor(
            self.degradation(flat)
        )
        rows, columns = (
            np.abs(np.arange(shape[0]) - centre) <= found.radius + MARGIN * self.scale
            for centre in (found.row, found.column)
        )
        window = torch.from_numpy(np.outer(rows, columns).astype(np.float32))
        return (sign * DETECTABILITY * NOISE * seen / seen.norm())[0].float(), window
