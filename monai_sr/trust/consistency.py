"""Whether a finer image, degraded again, is the image that it was made of; and the nearest that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monai_sr.transforms.sampling import Downsample
from monai_sr.trust.operator import LinearOperator, conjugate_gradients
from monai_sr.trust.rounding import mend, round_in_blocks

TOLERANCE = 0.5
"""Largest difference from the source that counts as none, in its units: what rounding it may have hidden."""

MARGIN = 0.2
"""How near enforcement comes before it rounds; the tighter, the more often a crowded range has no such frame."""

MAX_ITERATIONS = 60
MAX_INNER_ITERATIONS = 30
MAX_HALVINGS = 3
MAX_MENDINGS = 10
DAMPING = 1e-4
"""Keeps the step bounded where every finer pixel under a coarse one is at the end of the range."""


@dataclass(frozen=True)
class Consistency:
    """How much degraded finer pixels differ from the source's.

    Args:
        largest: absolute difference, in stored units.
        rms: root of the mean square, in stored units.
        range: of the source's pixels, in stored units, to compare with.
    """

    largest: float
    rms: float
    range: float

    @classmethod
    def of(cls, residual: NDArray[np.float32], low: NDArray[np.float32]) -> Consistency:
        """Summarise.

        Args:
            residual: what `DataConsistency.residual` gave.
            low: the source.

        Returns:
            The summary.
        """
        rms = float(np.sqrt(np.mean(np.square(residual, dtype=np.float64))))
        return cls(float(np.abs(residual).max()), rms, float(np.ptp(low)))


class DataConsistency:
    """Compare finer frames with their source by a degradation, and make them agree.

    Enforcement gives the frame nearest to the one given, in the sum of squares, that agrees with the source
    and stays within the range: a projection onto a polyhedron, found by a semismooth Newton method on its
    dual, as back-projection would after many more steps.

    Args:
        degradation: the linear map from the finer grid to the source's.
        lower: least value that a finer pixel may take, in stored units.
        upper: greatest such value.
        whole: whether finer pixels are whole numbers.

    Raises:
        ValueError: if the range is empty.

    Reference:
        Qi and Sun, A nonsmooth version of Newton's method, Mathematical Programming 58, 1993.

    Example:
        >>> from monai_sr.transforms import DetectorBinning
        >>> check = DataConsistency(DetectorBinning(2), 0, 4095)
        >>> low = np.full((4, 4), 10, np.float32)
        >>> finer = check.enforce(np.full((8, 8), 12.0, np.float32), low)
        >>> float(np.abs(check.residual(finer, low)).max()) <= TOLERANCE
        True
    """

    def __init__(
        self,
        degradation: Downsample,
        lower: float = -np.inf,
        upper: float = np.inf,
        whole: bool = True,
    ) -> None:
        if not lower < upper:
            raise ValueError(f"lower must be below upper, got {lower} and {upper}.")
        self.degradation = degradation
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
        degraded = self.degradation.sample(torch.from_numpy(finer)[None])[0]
        return self._residual(degraded, torch.from_numpy(low)).numpy()

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
        operator = LinearOperator(self.degradation.sample, start.shape)
        weights = torch.zeros_like(source)
        step = self._evaluate(operator, start, source, weights)
        for _ in range(MAX_ITERATIONS):
            frame, free, excess = step
            if not excess.any():
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
                if tries[-1][0] < 0.9 * float(excess.square().sum()):
                    break
            _, weights, step = min(tries, key=lambda entry: entry[0])
        frame = step[0].numpy()
        if not self.whole:
            return frame
        whole = round_in_blocks(frame, self.degradation.scale_factor)
        for _ in range(MAX_MENDINGS):
            residual = self.residual(whole, low)
            if (np.abs(residual) <= TOLERANCE).all():
                break
            whole = mend(whole, frame, residual, TOLERANCE, self.bounds)
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
