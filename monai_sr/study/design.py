"""Which images a reader is shown, in which order and on which side."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum
from itertools import combinations


class Design(str, Enum):
    """What a reader is asked of each trial."""

    PREFERENCE = "2afc"
    """Which of two images, side by side: a forced choice."""

    RATING = "mos"
    """How good one image is, from 1 to 5."""

    @property
    def answers(self) -> range:
        """What may be answered: 1 for the left image and 2 for the right, or the rating."""
        return range(1, 3) if self is Design.PREFERENCE else range(1, 6)


@dataclass(frozen=True)
class Trial:
    """One question to a reader.

    Args:
        case: index of the case.
        shown: indices of the conditions, from left to right.
        repeat: whether the reader has been asked the same before.
    """

    case: int
    shown: tuple[int, ...]
    repeat: bool = False


def comparisons(design: Design, n_conditions: int) -> list[tuple[int, ...]]:
    """What is asked of each case.

    Args:
        design: preference asks of every pair of conditions, rating of each.
        n_conditions: how many there are.

    Returns:
        Indices of conditions, ascending.

    Example:
        >>> comparisons(Design.PREFERENCE, 3)
        [(0, 1), (0, 2), (1, 2)]
    """
    size = 2 if design is Design.PREFERENCE else 1
    return list(combinations(range(n_conditions), size))


def plan_trials(
    design: Design, n_cases: int, n_conditions: int, repeat: float, rng: random.Random
) -> list[Trial]:
    """The trials of one reader, in order.

    Each case comes once in a round before any comes again, so that a reader hardly remembers it; of each pair
    of conditions, each is on the left in half of the cases. What is repeated comes last, in the order of its
    first time and with sides exchanged, so that agreement is not that of a hand.

    Args:
        design: what is asked.
        n_cases: how many there are.
        n_conditions: how many there are.
        repeat: share of the trials that are asked again, from 0 to 1; at least one, if above 0.
        rng: source of chance.

    Returns:
        The trials.
    """
    asked = comparisons(design, n_conditions)
    swapped = {comparison: _halves(n_cases, rng) for comparison in asked}
    orders = [rng.sample(asked, len(asked)) for _ in range(n_cases)]
    trials = []
    for number in range(len(asked)):
        for case in rng.sample(range(n_cases), n_cases):
            shown = orders[case][number]
            trials.append(Trial(case, shown[::-1] if swapped[shown][case] else shown))
    # Asked for, of however few trials, some agreement is to be measured.
    count = max(round(repeat * len(trials)), int(repeat > 0))
    again = sorted(rng.sample(range(len(trials)), count))
    return trials + [Trial(trials[index].case, trials[index].shown[::-1], repeat=True) for index in again]


def _halves(count: int, rng: random.Random) -> list[bool]:
    """As many True as False in random order; of an odd number one more of either."""
    values = [index % 2 == 0 for index in range(count)]
    if rng.random() < 0.5:
        values = [not value for value in values]
    rng.shuffle(values)
    return values
