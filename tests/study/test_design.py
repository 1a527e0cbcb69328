from __future__ import annotations

import random
from collections import Counter

import pytest

from monai_sr.study.design import Design, Trial, comparisons, plan_trials


@pytest.mark.parametrize(("repeat", "again"), [(0.0, 0), (0.2, 1), (1.0, 1)])
def test_of_few_questions_one_is_repeated_where_any_should_be(repeat, again):
    trials = plan_trials(Design.PREFERENCE, 1, 2, repeat, random.Random(0))
    assert [trial.repeat for trial in trials] == [False] + [True] * again


@pytest.mark.parametrize(
    ("design", "n_conditions"), [(Design.PREFERENCE, 2), (Design.PREFERENCE, 3), (Design.RATING, 3)]
)
def test_every_question_is_asked_once_and_some_again(design, n_conditions):
    trials = plan_trials(design, 11, n_conditions, 0.3, random.Random(0))
    asked = comparisons(design, n_conditions)
    first = [trial for trial in trials if not trial.repeat]
    again = trials[len(first) :]
    assert Counter((trial.case, tuple(sorted(trial.shown))) for trial in first) == Counter(
        (case, shown) for case in range(11) for shown in asked
    )
    assert len(again) == round(0.3 * len(first))
    assert all(trial.repeat for trial in again)
    # Sides are exchanged, and the order of the first time is kept.
    places = [first.index(Trial(trial.case, trial.shown[::-1])) for trial in again]
    assert places == sorted(places)
    # Each case comes once in each round.
    for start in range(0, len(first), 11):
        assert {trial.case for trial in first[start : start + 11]} == set(range(11))


@pytest.mark.parametrize("n_cases", [1, 7, 40])
def test_each_condition_is_on_the_left_in_half_of_the_cases(n_cases):
    lefts = Counter()
    for seed in range(30):
        trials = plan_trials(Design.PREFERENCE, n_cases, 3, 0, random.Random(seed))
        for pair in comparisons(Design.PREFERENCE, 3):
            shown = [trial.shown[0] for trial in trials if tuple(sorted(trial.shown)) == pair]
            assert abs(shown.count(pair[0]) - shown.count(pair[1])) == n_cases % 2
            lefts.update(shown)
    if n_cases == 1:
        assert min(lefts.values()) > 10  # where halves cannot be, chance decides


def test_orders_are_of_the_generator_alone():
    orders = [plan_trials(Design.RATING, 9, 2, 0.5, random.Random(seed)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
