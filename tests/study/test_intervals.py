from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from monai_sr.study.intervals import clopper_pearson, mean_interval, share_interval, two_way


def tables(rng, count, readers, cases, of_reader, of_case, of_error):
    return (
        of_reader * rng.standard_normal((count, readers, 1))
        + of_case * rng.standard_normal((count, 1, cases))
        + of_error * rng.standard_normal((count, readers, cases))
    )


@pytest.mark.parametrize("scales", [(1, 0.5, 2), (0.3, 2, 1)])
def test_the_variance_is_that_of_the_mean_over_readers_and_cases(scales):
    found = two_way(tables(np.random.default_rng(0), 20_000, 6, 15, *scales))
    true = scales[0] ** 2 / 6 + scales[1] ** 2 / 15 + scales[2] ** 2 / 90
    assert found.mean.var() == pytest.approx(true, rel=0.03)
    # Components that are not let below zero make it a little larger.
    assert found.variance.mean() == pytest.approx(true, rel=0.03)
    low, high = mean_interval(found, 0.05)
    assert ((low <= 0) & (high >= 0)).mean() == pytest.approx(0.95, abs=0.02)
    total = sum(scale**2 for scale in scales)
    assert found.reader_correlation.mean() == pytest.approx(scales[0] ** 2 / total, abs=0.05)
    assert found.case_correlation.mean() == pytest.approx(scales[1] ** 2 / total, abs=0.05)


def test_one_reader_is_student_s_and_the_binomial_s():
    values = np.random.default_rng(1).normal(3, 1, 12)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(mean_interval(two_way(values[None]), 0.05), expected)
    answers = np.array([1.0] * 9 + [0.0] * 4)
    exact = stats.binomtest(9, 13).proportion_ci(0.95, "exact")
    np.testing.assert_allclose(share_interval(two_way(answers[None]), 0.05), exact)


@pytest.mark.parametrize("successes", [0, 3, 10])
def test_the_exact_interval_is_scipy_s(successes):
    expected = stats.binomtest(successes, 10).proportion_ci(0.9, "exact")
    np.testing.assert_allclose(clopper_pearson(np.array(float(successes)), np.array(10.0), 0.1), expected)


def test_readers_who_agree_count_once_and_independent_ones_each():
    case = np.array([1.0] * 14 + [0.0] * 6)
    once = share_interval(two_way(case[None]), 0.05)
    np.testing.assert_allclose(share_interval(two_way(np.tile(case, (5, 1))), 0.05), once, atol=0.03)
    # Where all say the same, one answer a case counts.
    low, high = share_interval(two_way(np.ones((5, 20))), 0.05)
    np.testing.assert_allclose((low, high), stats.binomtest(20, 20).proportion_ci(0.95, "exact"))
    independent = np.random.default_rng(0).permuted(np.tile(case, (5, 1)), axis=1)
    low, high = share_interval(two_way(independent), 0.05)
    assert high - low < 0.75 * (once[1] - once[0])
