from __future__ import annotations

import math

import pytest

from monai_sr.study import build_study, read_answers, summarise
from tests.study.conftest import write_conditions


def test_preferences_sides_and_agreement(preference, write_answers):
    key = preference[1]
    files = [
        write_answers(key, 1, lambda trial: 1 + trial.shown.index(1)),
        write_answers(key, 2, lambda trial: 1),  # always the left one
    ]
    found = summarise(key, read_answers(key, files))
    assert [(one.what, one.who, one.value, one.n) for one in found.results] == [
        ("bicubic against edsr_mri", "reader 1", 0, 4),
        ("bicubic against edsr_mri", "reader 2", 0.5, 4),
        ("bicubic against edsr_mri", "all readers", 0.25, 8),
    ]
    assert all(0 <= one.low <= one.value <= one.high <= 1 for one in found.results)
    assert found.left[1].value == 1
    # Repeats exchange the sides: a hand that always goes left never agrees with itself.
    assert [one.value for one in found.agreement] == [1, 0]
    assert found.seconds == {"reader 1": 3.5, "reader 2": 3.5}
    assert found.correlations is not None


def test_mean_ratings_and_their_differences(rating, write_answers):
    key = rating[1]
    files = [write_answers(key, n, lambda trial, n=n: trial.shown[0] + n + (trial.case == 0)) for n in (1, 2)]
    found = summarise(key, read_answers(key, files))
    values = {(one.what, one.who): one for one in found.results}
    assert values["edsr_mri", "reader 2"].value == 3.25
    assert values["edsr_mri", "all readers"].value == 2.75
    difference = values["bicubic minus srgan_mri", "all readers"]
    assert (difference.value, difference.low, difference.high) == (-2, -2, -2)
    assert values["edsr_mri", "all readers"].high - values["edsr_mri", "all readers"].low > 1
    assert [one.value for one in found.agreement] == [1, 1]
    assert found.left == []
    assert found.correlations is None


def test_a_single_case_has_no_interval(tmp_path, write_answers):
    conditions = write_conditions(tmp_path, ("one", "two"), ("only",))
    key = build_study(conditions, tmp_path / "study")
    result = summarise(key, read_answers(key, [write_answers(key, 1, lambda trial: 1)])).results[0]
    assert result.n == 1
    assert math.isnan(result.low)


def test_a_reader_may_be_missing(preference, write_answers):
    key = preference[1]
    found = summarise(key, read_answers(key, [write_answers(key, 2, lambda trial: 2)]))
    assert {one.who for one in found.results} == {"reader 2"}
    assert found.results[0].value == pytest.approx(0.5)
