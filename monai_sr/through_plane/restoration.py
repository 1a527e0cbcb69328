"""From slices to the finer ones, in planes across them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_sr.through_plane.grid import SliceGrid


class Restoration:
    """The smoothest finer slices, and what a network finds that the slices do not contradict.

    Args:
        network: maps (N, 1, coarse, W), `fine` and `blur` to (N, 1, fine, W), see
            `monai_sr.networks.SliceInterpolator`.
        grid: both samplings.
        device: of the network.

    Example:
        >>> from monai_sr.networks import SliceInterpolator
        >>> restore = Restoration(SliceInterpolator(channels=4, num_blocks=1), SliceGrid(4, 12))
        >>> slices = torch.rand(1, 1, 4, 5)
        >>> bool(torch.allclose(restore.degrade(restore(slices)), slices, atol=1e-5))
        True
    """

    def __init__(self, network: nn.Module, grid: SliceGrid, device: torch.device | str = "cpu") -> None:
        self._network = network
        self._grid = grid
        self._degradation = torch.from_numpy(grid.degradation).float().to(device)
        self._interpolation = torch.from_numpy(grid.interpolation).float().to(device)

    def degrade(self, finer: Tensor) -> Tensor:
        """Slices of (N, 1, fine, W), shape (N, 1, coarse, W)."""
        return self._degradation @ finer

    def interpolate(self, slices: Tensor) -> Tensor:
        """The smoothest finer slices, without the network."""
        return self._interpolation @ slices

    def __call__(self, slices: Tensor) -> Tensor:
        """Restore.

        Args:
            slices: shape (N, 1, coarse, W), intensities about [0, 1].

        Returns:
            Shape (N, 1, fine, W); degraded again it gives `slices`.
        """
        detail: Tensor = self._network(slices, fine=self._grid.fine, blur=self._grid.blur)
        # Of the detail only what the slices cannot see is added.
        return detail + self.interpolate(slices - self.degrade(detail))
