"""How far an image's statistics lie from those of a kind of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monai_sr.trust.appearance import PIXELS

SHRINKAGE = 0.1
"""Share of the covariance that is taken from its diagonal alone, since images of few people are measured."""

LEAST_SPREAD = 0.03
"""Standard deviation that is added to every statistic's, so that none is alike for want of people."""


@dataclass(frozen=True, eq=False)
class Likeness:
    """Mean and covariance of the statistics `PIXELS` of images, noise by its logarithm.

    Args:
        mean: one for each statistic.
        covariance: the lower triangle of their covariance, row by row, which must be positive definite.

    Raises:
        ValueError: if the numbers are not so many, or no covariance.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(99, 7))
        >>> found = [dict(zip(PIXELS, row, strict=True)) | {"noise": 0.01 * 1.3 ** row[0]} for row in rows]
        >>> likeness = Likeness.of(found, np.ones(99))
        >>> likeness.distance(found[0]) < 6 < likeness.distance(found[0] | {"rim": 20})
        True
    """

    mean: Sequence[float]
    covariance: Sequence[float]

    def __post_init__(self) -> None:
        size = len(PIXELS)
        if len(self.mean) != size or len(self.covariance) != size * (size + 1) // 2:
            raise ValueError(f"mean and covariance must be of the statistics {', '.join(PIXELS)}.")
        if not np.isfinite(self._inverse).all():
            raise ValueError("covariance must be finite.")

    @classmethod
    def of(
        cls, found: Sequence[Mapping[str, float]], weights: Sequence[float] | NDArray[np.float64]
    ) -> Likeness:
        """The likeness of measured images.

        Args:
            found: statistics of each, see `appearance`.
            weights: of each, above 0.

        Returns:
            The likeness.
        """
        rows = np.array([_row(each) for each in found])
        share = np.asarray(weights, np.float64) / np.sum(weights)
        mean = share @ rows
        covariance = ((rows - mean) * share[:, None]).T @ (rows - mean)
        covariance += SHRINKAGE * (np.diag(np.diag(covariance)) - covariance)
        covariance += LEAST_SPREAD**2 * np.eye(len(mean))
        return cls(mean.tolist(), covariance[np.tril_indices(len(mean))].tolist())

    def distance(self, found: Mapping[str, float]) -> float:
        """How many standard deviations an image lies off.

        Args:
            found: its statistics.

        Returns:
            The Mahalanobis distance.
        """
        off = _row(found) - self.mean
        return float(np.sqrt(off @ self._inverse @ off))

    @cached_property
    def _inverse(self) -> NDArray[np.float64]:
        size = len(PIXELS)
        matrix = np.zeros((size, size))
        matrix[np.tril_indices(size)] = self.covariance
        matrix += np.tril(matrix, -1).T
        np.linalg.cholesky(matrix)  # refuses what is no covariance
        return np.asarray(np.linalg.inv(matrix))


def _row(found: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array([np.log10(found[name]) if name == "noise" else found[name] for name in PIXELS])
