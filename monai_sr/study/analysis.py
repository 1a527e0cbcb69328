"""What a study found: preferences or mean ratings, and how much readers agree with themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from monai_sr.study.answers import Answer
from monai_sr.study.design import Design
from monai_sr.study.intervals import Floats, TwoWay, clopper_pearson, mean_interval, share_interval, two_way
from monai_sr.study.key import Key
from monai_sr.study.scores import join_scores, modalities

ALPHA = 0.05
ALL = "all readers"

_Interval = Callable[[TwoWay, float], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval.

    Args:
        what: such as "edsr against bicubic".
        who: a reader, or all of them.
        value: the share, or the mean.
        low: lower end, NaN of a single case.
        high: upper end.
        n: answers that it is made of.
    """

    what: str
    who: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Summary:
    """What a study found.

    Args:
        results: preference shares, or mean ratings and their differences.
        left: share of left images that were preferred, by reader; of preference only.
        agreement: share of repeated trials with the same answer, by reader.
        seconds: median time of an answer, by reader.
        correlations: of one reader's preferences on two cases, and of two readers' on one case, which the
            next study's power needs; None of ratings and of a single reader.
    """

    results: Sequence[Estimate]
    left: Sequence[Estimate]
    agreement: Sequence[Estimate]
    seconds: Mapping[str, float]
    correlations: tuple[float, float] | None


def summarise(key: Key, answers: Mapping[int, Sequence[Answer]]) -> Summary:
    """Summarise the answers; readers and cases both count as drawn from many.

    Args:
        key: of the study.
        answers: reader's number -> answers to all trials.

    Returns:
        The summary; repeated trials count for agreement alone.
    """
    who = {number: f"reader {number}" for number in answers}
    tables = dict(zip(modalities(key), _tables(key, answers), strict=True))
    results: list[Estimate] = []
    correlations = None
    if key.design is Design.PREFERENCE:
        # The second of each two modalities is the mirror of the first.
        tables = dict(list(tables.items())[::2])
        for name, table in tables.items():
            results += _estimates(name, who.values(), table, share_interval)
        if len(who) > 1 and len(key.cases) > 1:
            found = two_way(np.stack(list(tables.values())))
            correlations = float(found.reader_correlation.mean()), float(found.case_correlation.mean())
    else:
        for name, table in tables.items():
            results += _estimates(name, who.values(), table, mean_interval)
        for (name, table), (other, others) in combinations(tables.items(), 2):
            results.append(_estimate(f"{name} minus {other}", ALL, table - others, mean_interval))
    left, agreement, seconds = [], [], {}
    for number, given in answers.items():
        if key.design is Design.PREFERENCE:
            left.append(_share("left image preferred", who[number], [answer.value == 1 for answer in given]))
        if same := _same(key.design, given):
            agreement.append(_share("same answer again", who[number], same))
        seconds[who[number]] = float(np.median([answer.milliseconds for answer in given])) / 1000
    return Summary(results, left, agreement, seconds, correlations)


def _tables(key: Key, answers: Mapping[int, Sequence[Answer]]) -> Floats:
    """Scores, shape (modalities, readers, cases)."""
    rows = {number: row for row, number in enumerate(answers)}
    table = np.empty((len(modalities(key)), len(rows), len(key.cases)))
    for score in join_scores(key, [answer for given in answers.values() for answer in given]):
        table[score.modality - 1, rows[score.reader], score.case - 1] = score.score
    return table


def _estimates(what: str, who: Iterable[str], table: Floats, interval: _Interval) -> list[Estimate]:
    found = [_estimate(what, name, row[None], interval) for name, row in zip(who, table, strict=True)]
    return found if len(found) == 1 else [*found, _estimate(what, ALL, table, interval)]


def _estimate(what: str, who: str, table: Floats, interval: _Interval) -> Estimate:
    if table.shape[1] < 2:
        return Estimate(what, who, float(table.mean()), float("nan"), float("nan"), table.size)
    low, high = interval(two_way(table), ALPHA)
    return Estimate(what, who, float(table.mean()), float(low), float(high), table.size)


def _share(what: str, who: str, values: Sequence[bool]) -> Estimate:
    """A share of one reader's answers, with the exact interval."""
    low, high = clopper_pearson(np.asarray(float(sum(values))), np.asarray(float(len(values))), ALPHA)
    return Estimate(what, who, float(np.mean(values)), float(low), float(high), len(values))


def _same(design: Design, given: Sequence[Answer]) -> list[bool]:
    """Of each repeated trial whether the answer was the same: the same condition, or the same rating."""

    def said(answer: Answer) -> int:
        return answer.preferred if design is Design.PREFERENCE else answer.value

    def asked(answer: Answer) -> tuple[int, tuple[int, ...]]:
        return answer.trial.case, tuple(sorted(answer.trial.shown))

    first = {asked(answer): said(answer) for answer in given if not answer.trial.repeat}
    return [said(answer) == first[asked(answer)] for answer in given if answer.trial.repeat]
