"""Checks of the transforms' arguments."""

from __future__ import annotations

from collections.abc import Sequence


def not_negative(name: str, value: float) -> float:
    """The value itself, where it is 0 or more.

    Args:
        name: the argument's name.
        value: its value.

    Raises:
        ValueError: naming the argument, if it is negative.
    """
    if not value >= 0:
        raise ValueError(f"{name} must be 0 or more, got {value}.")
    return value


def probability(name: str, value: float) -> float:
    """The value itself, where it is in [0, 1].

    Args:
        name: the argument's name.
        value: its value.

    Raises:
        ValueError: naming the argument, if it is no probability.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value}.")
    return value


def interval(name: str, bounds: Sequence[float]) -> Sequence[float]:
    """The bounds themselves, where they are (least, greatest).

    Args:
        name: the argument's name.
        bounds: its value.

    Raises:
        ValueError: naming the argument, if it is no interval.
    """
    if len(bounds) != 2 or not bounds[0] <= bounds[1]:
        raise ValueError(f"{name} must be (least, greatest), got {tuple(bounds)}.")
    return bounds
