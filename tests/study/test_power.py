from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from monai_sr.errors import InputError
from monai_sr.study import Plan, plan_cases, power, power_of


@pytest.mark.parametrize(
    ("preference", "cases", "alpha"), [(0.65, 90, 0.05), (0.35, 90, 0.05), (0.8, 23, 0.01)]
)
def test_one_reader_s_power_is_that_of_the_exact_binomial_test(preference, cases, alpha):
    # Of the test with equal tails, of which each outcome's p-value is twice the smaller one's.
    finds = [
        successes
        for successes in range(cases + 1)
        if 2 * min(stats.binom.cdf(successes, cases, 0.5), stats.binom.sf(successes - 1, cases, 0.5)) <= alpha
        and (successes > cases / 2) == (preference > 0.5)
    ]
    expected = stats.binom.pmf(finds, cases, preference).sum()
    assert power_of(Plan(preference, 1, alpha=alpha), cases) == pytest.approx(expected, rel=1e-9)


def test_known_numbers_of_cases():
    plan = Plan(0.65, 1)
    # 90 cases are the first to reach 0.8, and from 97 on none falls below it again.
    assert power_of(plan, 89) < 0.8 < power_of(plan, 90)
    assert power_of(plan, 96) < 0.8
    assert plan_cases(plan, 0.8) == 97
    assert plan_cases(Plan(0.35, 1), 0.8) == 97


def test_random_readers_are_worth_what_student_s_test_over_them_says():
    readers, cases, correlation, share = 12, 100, 0.08, 0.62
    spread = share * (1 - share) * (correlation + (1 - correlation) / cases) / readers
    reach = stats.t.ppf(0.975, readers - 1)
    expected = stats.nct.sf(reach, readers - 1, (share - 0.5) / np.sqrt(spread))
    assert 0.5 < expected < 0.95
    # The interval of a share is exact, and so a little wide.
    assert expected - 0.08 < power_of(Plan(share, readers, correlation, 0), cases) < expected + 0.02


@pytest.mark.parametrize(("readers", "correlations"), [(5, (0, 0)), (5, (0.1, 0.3)), (15, (0.02, 0.1))])
def test_nothing_is_found_where_nothing_is(readers, correlations):
    found = power_of(Plan(0.5 + 1e-9, readers, *correlations), 30)
    found += power_of(Plan(0.5 - 1e-9, readers, *correlations), 30, seed=1)
    assert found < 0.06


def test_the_number_of_cases_is_the_first_with_enough_power():
    plan = Plan(0.65, 12, 0.01, 0.1)
    number = plan_cases(plan, 0.8, seed=2)
    assert power_of(plan, number - 1, 2) < 0.8 <= power_of(plan, number, 2)
    assert number < plan_cases(Plan(0.65, 1))


def test_too_few_readers_are_told(monkeypatch):
    monkeypatch.setattr(power, "MOST_CASES", 40)
    with pytest.raises(InputError, match="up to 40 is enough with 2 readers: take more readers"):
        plan_cases(Plan(0.65, 2, 0.3))


def test_readers_who_say_the_same_of_a_case_are_worth_less():
    alike, independent = (power_of(Plan(0.65, 6, 0.02, correlation), 40) for correlation in (0.5, 0.0))
    assert alike < independent - 0.2


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda: plan_cases(Plan(0.5, 3)), "is none"),
        (lambda: plan_cases(Plan(0.501, 1)), "take more readers"),
        (lambda: plan_cases(Plan(0.65, 1), 1), "power must be"),
        (lambda: Plan(1, 3), "preference must be"),
        (lambda: Plan(float("nan"), 3), "preference must be"),
        (lambda: Plan(0.6, 0), "one reader"),
        (lambda: Plan(0.6, 2, 0.6, 0.5), "correlations"),
        (lambda: Plan(0.6, 2, float("nan")), "correlations"),
        (lambda: Plan(0.6, 2, alpha=0), "alpha"),
        (lambda: power_of(Plan(0.6, 2), 1), "from 2 to"),
        (lambda: power_of(Plan(0.6, 2), 10**9), "from 2 to"),
    ],
)
def test_what_cannot_be_is_refused(act, said):
    with pytest.raises(InputError, match=said):
        act()
