from __future__ import annotations

import numpy as np
import pytest

from monai_sr.trust import DataConsistency, FrameCheck
from monai_sr.volume import Consistency

LOW = np.array([[10, 20], [30, 40]], np.uint16)
NO_GAP = np.zeros((2, 2), bool)


def check(enforce, unit=1.0, upper=4095):
    return FrameCheck(DataConsistency("binning", 2, 0, upper), unit, enforce)


def repeated(values=LOW):
    return values.repeat(2, 0).repeat(2, 1)


def test_a_planted_structure_is_measured_and_left_where_only_a_report_is_wanted():
    finer = repeated()
    finer[:2, :2] = 100
    reporting = check(enforce=False)
    assert np.array_equal(reporting(5, finer, LOW, NO_GAP), finer)
    assert reporting.found == {5: Consistency("binning", 90, 45, enforced=False)}


def test_a_planted_structure_is_taken_out_where_that_is_wanted():
    finer = repeated()
    finer[:2, :2] = 100
    enforcing = check(enforce=True)
    made = enforcing(5, finer, LOW, NO_GAP)
    assert made.dtype == np.uint16
    assert np.abs(made.reshape(2, 2, 2, 2).mean((1, 3)) - LOW).max() <= 0.5
    assert enforcing.found[5].enforced
    assert enforcing.found[5].largest <= 0.5


def test_units_are_those_of_the_stored_values():
    finer = (repeated() / 1000).astype(np.float32)
    finer[:2, :2] += 0.09
    reporting = check(enforce=False, unit=1e-3)
    reporting(0, finer, (LOW / 1000).astype(np.float32), NO_GAP)
    assert reporting.found[0].largest == pytest.approx(0.09, rel=1e-4)


def test_pixels_without_an_image_do_not_count():
    finer = repeated()
    finer[:2, :2] = 100
    gap = NO_GAP.copy()
    gap[0, 0] = True
    reporting = check(enforce=False)
    reporting(0, finer, LOW, gap)
    assert reporting.found[0].largest == 0
    reporting(1, finer, LOW, ~NO_GAP)
    assert 1 not in reporting.found


def test_frames_that_nothing_makes_agree_are_left_and_told_of_once(caplog):
    low = np.array([[10, 20], [25, 40]], np.uint16)  # the last is more than any finer pixel may be
    enforcing, finer = check(enforce=True, upper=30), repeated(np.full((2, 2), 25, np.uint16))
    for index in (3, 4):
        assert enforcing(index, finer, low, NO_GAP) is finer
        assert enforcing.found[index] == Consistency("binning", 15, np.sqrt(475) / 2, left=1)
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.startswith("frame 4 cannot be made to agree with its source: the degradation binning hardly")
    assert "within the range of values differs by 10." in told
    whole = str(Consistency.over(enforcing.found.values()))
    assert whole.endswith("in stored units, 2 of its frames could not be made to agree")
