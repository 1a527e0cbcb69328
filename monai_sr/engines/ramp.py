"""How a weight grows while training goes on."""

from __future__ import annotations

import math


def cosine_ramp(iteration: int, delay: int = 0, length: int = 0) -> float:
    """Factor that rises smoothly from 0 to 1 as half a cosine wave.

    Args:
        iteration: 1 for the first.
        delay: iterations at 0 before the rise.
        length: iterations that the rise takes; 0 steps straight to 1.

    Returns:
        Factor in [0, 1].

    Example:
        >>> [round(cosine_ramp(iteration, delay=1, length=4), 2) for iteration in range(1, 7)]
        [0.0, 0.0, 0.15, 0.5, 0.85, 1.0]
    """
    done = iteration - 1 - delay
    if done < 0:
        return 0.0
    if done >= length:
        return 1.0
    return (1 - math.cos(math.pi * done / length)) / 2
