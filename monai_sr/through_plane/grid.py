"""Slices and the finer ones of the same field of view, as matrices along the axis between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from monai_sr.errors import InputError

PROFILES = ("box", "gaussian")

_FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
_ANCHOR = 0.01
"""A pull to zero, weak beside the differences, without which a constant would cost nothing."""


@dataclass(frozen=True)
class SliceGrid:
    """Two samplings of one field of view along one axis.

    Args:
        coarse: number of slices, at least 2.
        fine: number of finer ones, more than `coarse`; a multiple or not.
        thickness: full width at half maximum of the slice profile, in distances between slices.
        profile: `box`, a slice that sees all of its thickness alike, or `gaussian`.

    Raises:
        InputError: if there is no such profile.
        ValueError: if the numbers cannot be used.

    Example:
        >>> SliceGrid(coarse=2, fine=4).degradation.tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """

    coarse: int
    fine: int
    thickness: float = 1.0
    profile: str = "box"

    def __post_init__(self) -> None:
        if self.coarse < 2 or self.fine <= self.coarse:
            raise ValueError(f"fine must be above coarse, at least 2, got {self.fine} and {self.coarse}.")
        if self.profile not in PROFILES:
            raise InputError(f"There is no slice profile {self.profile}: use {' or '.join(PROFILES)}.")
        if not self.thickness > 0:
            raise ValueError(f"thickness must be above 0, got {self.thickness}.")

    @property
    def ratio(self) -> float:
        """Finer slices for each slice."""
        return self.fine / self.coarse

    @property
    def blur(self) -> float:
        """Standard deviation of the slice profile, in distances between slices."""
        return self.thickness / (math.sqrt(12) if self.profile == "box" else _FWHM_PER_SIGMA)

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """Centres of the finer slices, in slices: 0 is the first slice's centre, -0.5 where it begins."""
        return np.asarray((np.arange(self.fine) + 0.5) / self.ratio - 0.5)

    @cached_property
    def nearest(self) -> NDArray[np.intp]:
        """The slice in whose half of the way each finer slice's centre lies, shape (fine,)."""
        return np.floor(self.positions + 0.5).astype(np.intp)

    @cached_property
    def degradation(self) -> NDArray[np.float64]:
        """What each slice sees of the finer ones, shape (coarse, fine); rows have the sum 1."""
        edges = (np.arange(self.fine + 1) / self.ratio)[None] - (np.arange(self.coarse) + 0.5)[:, None]
        if self.profile == "box":
            seen = np.clip(edges, -self.thickness / 2, self.thickness / 2)
        else:
            seen = erf(edges / (self.blur * math.sqrt(2)))
        weights = np.diff(seen, axis=1)
        return np.asarray(weights / weights.sum(1, keepdims=True))

    @cached_property
    def interpolation(self) -> NDArray[np.float64]:
        """The smoothest finer slices that agree with the slices, shape (fine, coarse).

        Of all that `degradation` makes the slices of, they differ least, in squares, from slice to slice.
        """
        differences = np.diff(np.eye(self.fine), axis=0)
        stiffness = differences.T @ differences + (_ANCHOR / self.ratio) ** 2 * np.eye(self.fine)
        bent = np.linalg.solve(stiffness, self.degradation.T)
        return np.asarray(bent @ np.linalg.inv(self.degradation @ bent))
