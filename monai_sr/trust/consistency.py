"""Whether a finer image, degraded again, is the image that it was made of; and the nearest that is."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monai_sr.degradation import KERNELS
from monai_sr.errors import InputError
from monai_sr.trust.operator import LinearOperator, conjugate_gradients
from monai_sr.trust.rounding import mend, round_in_blocks

TOLERANCE = 0.5
"""Largest difference from the source that counts as none, in its units: what rounding it may have hidden."""

MARGIN = 0.2
"""How near enforcement comes before it rounds; nearer, a narrow range often has no such frame."""

MAX_ITERATIONS = 60
MAX_INNER_ITERATIONS = 30
MAX_HALVINGS = 3
GAIN = 0.9
"""A step that leaves more of the squared differences than this gains nothing."""

PATIENCE = 6
"""Steps that together have to gain something."""

MAX_MENDINGS = 10
DAMPING = 1e-4
"""Keeps the step bounded where every finer pixel under a coarse one is at the end of the range."""


class DataConsistency:
    """Compare finer frames with their source by a degradation, and make them agree.

    Enforcement gives the frame nearest to the one given, in the sum of squares, that agrees with the source
    and stays within the range: a projection onto a polyhedron, found by a semismooth Newton method on its
    dual, as back-projection would after many more steps.

    Args:
        kernel: short name of the degradation, see `monai_sr.degradation.KERNELS`.
        scale_factor: how many times finer the frames are than their source.
        lower: least value that a finer pixel may take, in stored units.
        upper: greatest such value.
        whole: whether finer pixels are whole numbers.

    Raises:
        InputError: if there is no such kernel.
        ValueError: if the range is empty.

    Reference:
        Qi and Sun, A nonsmooth version of Newton's method, Mathematical Programming 58, 1993.

    Example:
        >>> check = DataConsistency("binning", 2, 0, 4095)
        >>> low = np.full((4, 4), 10, np.float32)
        >>> finer = check.enforce(np.full((8, 8), 12.0, np.float32), low)
        >>> float(np.abs(check.residual(finer, low)).max()) <= TOLERANCE
        True
    """

    def __init__(
        self,
        kernel: str,
        scale_factor: int,
        lower: float = -np.inf,
        upper: float = np.inf,
        whole: bool = True,
    ) -> None:
        if not lower < upper:
            raise ValueError(f"lower must be below upper, got {lower} and {upper}.")
        if kernel not in KERNELS:
            raise InputError(f"There is no kernel {kernel}: use one of {', '.join(KERNELS)}.")
        self.kernel = kernel
        self.scale_factor = scale_factor
        self._degrade = partial(KERNELS[kernel], scale_factor=scale_factor)
        self.bounds = (lower, upper)
        self.whole = whole

    def residual(self, finer: NDArray[np.float32], low: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the degraded frame has more than the source.

        Where the source is at an end of the range, what lies beyond it would have been cut off, too.

        Args:
            finer: shape (H·s, W·s), in stored units.
            low: the source, shape (H, W), in stored units.

        Returns:
            Shape (H, W).
        """
        degraded = self._degrade(torch.from_numpy(finer)[None])[0]
        residual: NDArray[np.float32] = self._residual(degraded, torch.from_numpy(low)).numpy()
        return residual

    def enforce(self, finer: NDArray[np.float32], low: NDArray[np.float32]) -> NDArray[np.float32]:
        """The nearest frame that agrees with the source.

        Args:
            finer: shape (H·s, W·s), in stored units.
            low: the source, shape (H, W), in stored units.

        Returns:
            A frame of the shape of `finer`, whole numbers if `whole`; where no frame agrees, one that differs
            little.
        """
        start, source = torch.from_numpy(finer), torch.from_numpy(low)
        operator = LinearOperator(self._degrade, start.shape)
        weights = torch.zeros_like(source)
        step = self._evaluate(operator, start, source, weights)
        sizes: list[float] = []
        for _ in range(MAX_ITERATIONS):
            _, free, excess = step
            sizes.append(float(excess.square().sum()))
            # Where no frame agrees, the last steps gain nothing.
            if sizes[-1] == 0 or (len(sizes) > PATIENCE and sizes[-1] > GAIN * sizes[-1 - PATIENCE]):
                break
            active = (excess != 0).to(excess.dtype)

            def curvature(direction: Tensor, active: Tensor = active, free: Tensor = free) -> Tensor:
                inner = operator.forward(free * operator.adjoint(active * direction))
                return active * inner + DAMPING * direction

            direction = conjugate_gradients(curvature, -excess, MAX_INNER_ITERATIONS)
            tries = []
            for halvings in range(MAX_HALVINGS + 1):
                candidate = weights + direction / 2**halvings
                tried = self._evaluate(operator, start, source, candidate)
                tries.append((float(tried[2].square().sum()), candidate, tried))
                if tries[-1][0] < GAIN * sizes[-1]:
                    break
            _, weights, step = min(tries, key=lambda entry: entry[0])
        nearest: NDArray[np.float32] = step[0].numpy()
        if not self.whole:
            return nearest
        whole = round_in_blocks(nearest, self.scale_factor)
        for _ in range(MAX_MENDINGS):
            residual = self.residual(whole, low)
            if (np.abs(residual) <= TOLERANCE).all():
                break
            whole = mend(whole, nearest, residual, TOLERANCE, self.bounds)
        return whole

    def _evaluate(
        self, operator: LinearOperator, start: Tensor, source: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The frame of some dual weights, its pixels within the range, and what it differs by too much."""
        moved = start + operator.adjoint(weights)
        frame = moved.clamp(*self.bounds)
        residual = self._residual(operator.forward(frame), source)
        excess = residual.sign() * (residual.abs() - MARGIN).clamp(min=0)
        return frame, (moved == frame).to(moved.dtype), excess

    def _residual(self, degraded: Tensor, source: Tensor) -> Tensor:
        lower, upper = self.bounds
        hidden = ((source <= lower) & (degraded < lower)) | ((source >= upper) & (degraded > upper))
        return torch.where(hidden, 0, degraded - source)
