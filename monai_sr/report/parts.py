"""The part of an image that shows most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def most_varied_part(image: NDArray[Any], rows: int, columns: int) -> tuple[int, int]:
    """Where the part of an image lies whose values have the largest variance.

    Args:
        image: finite values, any unit, shape (H, W).
        rows: of the part, from 1 to H.
        columns: of the part, from 1 to W.

    Returns:
        Its first row and first column.

    Example:
        >>> most_varied_part(np.diag([0.0, 0.0, 1.0, 5.0]), rows=2, columns=2)
        (2, 2)
    """

    def sums(values: NDArray[Any]) -> NDArray[Any]:
        table = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        return np.asarray(
            table[rows:, columns:]
            - table[:-rows, columns:]
            - table[rows:, :-columns]
            + table[:-rows, :-columns]
        )

    centred = image.astype(np.float64) - float(image.mean())
    variance = sums(centred**2) / (rows * columns) - (sums(centred) / (rows * columns)) ** 2
    row, column = np.unravel_index(int(variance.argmax()), variance.shape)
    return int(row), int(column)
