"""Means and shares over readers and cases, both of them drawn from many, with intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


class TwoWay(NamedTuple):
    """Moments of one or many tables of scores, readers x cases.

    Args:
        mean: over both.
        variance: of that mean.
        df: its degrees of freedom.
        n_readers: rows of a table.
        n_cases: columns of a table.
        reader_correlation: of answers of one reader to two cases.
        case_correlation: of answers of two readers to one case.
    """

    mean: Floats
    variance: Floats
    df: Floats
    n_readers: int
    n_cases: int
    reader_correlation: Floats
    case_correlation: Floats


def two_way(table: Floats) -> TwoWay:
    """The mean of a table whose readers and cases are both random, and its variance by mean squares.

    A reader who likes one condition moves all their answers, and a case all readers' answers to it: neither
    counts as so many independent answers. Components of variance that come out negative count as zero. With
    one reader the mean is of that reader alone.

    Args:
        table: scores, shape (..., readers, cases), cases at least 2.

    Returns:
        The moments, each of shape (...).

    Reference:
        Gallas et al., A framework for random-effects ROC analysis, Communications in Statistics 38, 2009;
        degrees of freedom by Satterthwaite, Biometrics Bulletin 2, 1946.
    """
    n_readers, n_cases = table.shape[-2:]
    mean = table.mean(axis=(-2, -1))
    by_reader, by_case = table.mean(axis=-1), table.mean(axis=-2)
    of_cases = n_readers * by_case.var(axis=-1, ddof=1)
    if n_readers == 1:
        nothing = np.zeros_like(mean)
        return TwoWay(mean, of_cases / n_cases, np.full_like(mean, n_cases - 1), 1, n_cases, nothing, nothing)
    of_readers = n_cases * by_reader.var(axis=-1, ddof=1)
    rest = table - by_reader[..., :, None] - by_case[..., None, :] + mean[..., None, None]
    df_readers, df_cases = n_readers - 1, n_cases - 1
    error = (rest**2).sum(axis=(-2, -1)) / (df_readers * df_cases)
    takes_readers, takes_cases = of_readers > error, of_cases > error
    parts = (takes_readers * of_readers, takes_cases * of_cases, (1.0 - takes_readers - takes_cases) * error)
    total = parts[0] + parts[1] + parts[2]
    spread = parts[0] ** 2 / df_readers + parts[1] ** 2 / df_cases + parts[2] ** 2 / (df_readers * df_cases)
    varies = spread > 0
    df = np.where(varies, total**2 / np.where(varies, spread, 1), n_cases - 1)
    between_readers = np.maximum(of_readers - error, 0) / n_cases
    between_cases = np.maximum(of_cases - error, 0) / n_readers
    whole = between_readers + between_cases + error
    whole = np.where(whole > 0, whole, 1)
    variance = total / (n_readers * n_cases)
    return TwoWay(mean, variance, df, n_readers, n_cases, between_readers / whole, between_cases / whole)


def mean_interval(moments: TwoWay, alpha: float) -> tuple[Floats, Floats]:
    """Student's interval of a mean.

    Args:
        moments: of scores.
        alpha: 1 - confidence.

    Returns:
        Lower and upper ends.
    """
    half = stats.t.ppf(1 - alpha / 2, moments.df) * np.sqrt(moments.variance)
    return moments.mean - half, moments.mean + half


def share_interval(moments: TwoWay, alpha: float) -> tuple[Floats, Floats]:
    """Interval of a share: exact for one reader, and for more by the number of answers that counts.

    The exact binomial interval is taken for so many independent answers as have the same variance. Where all
    answers are alike, one for each case.

    Args:
        moments: of scores that are 0 or 1.
        alpha: 1 - confidence.

    Returns:
        Lower and upper ends, within 0 and 1.

    Reference:
        Korn and Graubard, Confidence intervals for proportions with small expected number of positive counts,
        Survey Methodology 24, 1998.
    """
    count = moments.n_readers * moments.n_cases
    if moments.n_readers == 1:
        return clopper_pearson(np.rint(moments.mean * count), np.asarray(float(count)), alpha)
    is_varied = moments.variance > 0
    effective = moments.mean * (1 - moments.mean) / np.where(is_varied, moments.variance, 1)
    narrower = stats.t.ppf(1 - alpha / 2, count - 1) / stats.t.ppf(1 - alpha / 2, moments.df)
    effective = np.where(is_varied, np.minimum(effective * narrower**2, count), moments.n_cases)
    return clopper_pearson(moments.mean * effective, effective, alpha)


def clopper_pearson(successes: Floats, count: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Exact binomial interval.

    Args:
        successes: how many, not necessarily whole.
        count: of how many.
        alpha: 1 - confidence.

    Returns:
        Lower and upper ends.

    Example:
        >>> low, high = clopper_pearson(np.array(8.0), np.array(10.0), 0.05)
        >>> print(round(float(low), 4), round(float(high), 4))
        0.4439 0.9748
    """
    failures = count - successes
    with np.errstate(invalid="ignore"):
        low = stats.beta.ppf(alpha / 2, successes, failures + 1)
        high = stats.beta.ppf(1 - alpha / 2, successes + 1, failures)
    return np.where(successes > 0, low, 0.0), np.where(failures > 0, high, 1.0)
