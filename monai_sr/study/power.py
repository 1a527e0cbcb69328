"""How many cases a study of preference needs, or what power it has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from monai_sr.errors import InputError
from monai_sr.study.intervals import share_interval, two_way

CHANCE = 0.5
MOST_CASES = 2000
"""Largest study that is considered."""

SIMULATIONS = 2000
"""Studies that are simulated: the power is then known to a standard error of 0.01 or better."""

_CHUNK = 2**22
"""Answers that are simulated at once."""


@dataclass(frozen=True)
class Plan:
    """What is assumed of a study of preference with two conditions.

    Args:
        preference: true share of one condition, from 0 to 1.
        readers: how many.
        reader_correlation: of one reader's answers to two cases: readers whose tastes differ.
        case_correlation: of two readers' answers to one case: cases that differ in what they show.
        alpha: two-sided level of the test that the share is a half.

    Raises:
        InputError: if a value cannot be.
    """

    preference: float
    readers: int
    reader_correlation: float = 0.02
    case_correlation: float = 0.1
    alpha: float = 0.05

    def __post_init__(self) -> None:
        # A NaN is in no range.
        if not 0 < self.preference < 1:
            raise InputError(
                "the preference must be more than 0 and less than 1: give the share that you expect"
            )
        if not 0 < self.alpha < 1:
            raise InputError("alpha must be more than 0 and less than 1, such as 0.05")
        if self.readers < 1:
            raise InputError("a study needs at least one reader")
        both = (self.reader_correlation, self.case_correlation)
        if not (min(both) >= 0 and sum(both) < 1):
            raise InputError(
                "the correlations must be 0 or more and sum to less than 1: see those of a pilot study"
            )


def power_of(plan: Plan, cases: int, seed: int = 0) -> float:
    """Probability that a study finds the preference, by the interval that its summary will give.

    With one reader it is computed exactly, of the binomial test, and holds for that reader. With more,
    studies are simulated: each answer is whether a normal variable is positive, to which a random reader, a
    random case and chance add, so that answers have the correlations that are assumed; the study finds the
    preference if the interval over readers and cases is on its side of a half.

    Args:
        plan: what is assumed.
        cases: how many, at least 2.
        seed: of the simulation; the same seed gives the same answer.

    Returns:
        From 0 to 1.

    Raises:
        InputError: if there are too few or too many cases.
    """
    if not 2 <= cases <= MOST_CASES:
        raise InputError(f"the cases must be from 2 to {MOST_CASES}")
    if plan.readers == 1:
        return float(_exact_power(plan, np.array(cases)))
    rng = np.random.default_rng(seed)
    centre = stats.norm.ppf(plan.preference)
    of_reader, of_case = (
        _latent(plan.preference, value) for value in (plan.reader_correlation, plan.case_correlation)
    )
    scales = np.sqrt([of_reader, of_case, max(1 - of_reader - of_case, 0)])
    found, left = 0, SIMULATIONS
    while left:
        count = min(left, max(1, _CHUNK // (plan.readers * cases)))
        reader = rng.standard_normal((count, plan.readers, 1))
        case = rng.standard_normal((count, 1, cases))
        chance = rng.standard_normal((count, plan.readers, cases))
        answers = centre + scales[0] * reader + scales[1] * case + scales[2] * chance > 0
        low, high = share_interval(two_way(answers.astype(np.float64)), plan.alpha)
        found += int((low > CHANCE).sum() if plan.preference > CHANCE else (high < CHANCE).sum())
        left -= count
    return found / SIMULATIONS


def plan_cases(plan: Plan, power: float = 0.8, seed: int = 0) -> int:
    """The number of cases from which on the power is enough.

    Args:
        plan: what is assumed.
        power: wanted, more than 0 and less than 1.
        seed: of the simulation.

    Returns:
        The number.

    Raises:
        InputError: if nothing is to be found, or no number of cases is enough for so few readers.

    Example:
        >>> plan_cases(Plan(0.65, readers=1), power=0.8)
        97
    """
    if not 0 < power < 1:
        raise InputError("the power must be more than 0 and less than 1, such as 0.8")
    if plan.preference == CHANCE:
        raise InputError(
            "A preference of 0.5 is none, which no number of cases finds: give the share that you expect"
        )
    too_few = InputError(
        f"No number of cases up to {MOST_CASES} is enough with {plan.readers} "
        f"{'reader' if plan.readers == 1 else 'readers'}: take more readers, or expect a larger preference"
    )
    if plan.readers == 1:
        # More cases may have less power, since counts are whole: from here on none has too little.
        numbers = np.arange(1, MOST_CASES + 1)
        number = int(numbers[_exact_power(plan, numbers) < power].max(initial=1)) + 1
        if number > MOST_CASES:
            raise too_few
        return number
    low, high = 1, 2
    while power_of(plan, high, seed) < power:
        if high == MOST_CASES:
            raise too_few
        low, high = high, min(2 * high, MOST_CASES)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(plan, middle, seed) >= power else (middle, high)
    return high


def _exact_power(plan: Plan, cases: NDArray[np.int_]) -> NDArray[np.float64]:
    """Of the binomial test, whose outcomes are those of the exact interval."""
    few = stats.binom.ppf(plan.alpha / 2, cases, CHANCE)
    few -= stats.binom.cdf(few, cases, CHANCE) > plan.alpha / 2
    return np.asarray(stats.binom.cdf(few, cases, min(plan.preference, 1 - plan.preference)))


def _latent(share: float, correlation: float) -> float:
    """Correlation of the normal variables whose signs have a correlation."""
    if correlation == 0:
        return 0.0
    centre = stats.norm.ppf(share)
    both = share**2 + correlation * share * (1 - share)

    def excess(latent: float) -> float:
        covariance = [[1, latent], [latent, 1]]
        return float(stats.multivariate_normal.cdf([centre, centre], cov=covariance, abseps=1e-8)) - both

    return float(optimize.brentq(excess, 0, 1 - 1e-9, xtol=1e-6))
