"""Intervals hold the share of pixels that they state, and are refused where that was not measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_sr import EDSR, Upscaler
from monai_sr.errors import InputError
from monai_sr.io import read_volume
from monai_sr.networks import IntervalHead
from monai_sr.sample import sample_series_dir
from monai_sr.trust import Calibration, IntervalEstimator
from monai_sr.trust.guard import Findings
from monai_sr.trust.uncertainty import calibrate, guess, least_units, left_out

CALIBRATION = Calibration(0.9, (0.1, 0.6), (1.0, 3.0), "patient", 9, "kspace")


def units(count, seed, pixels=2000):
    """Patients whose errors vary from one to the next, and with intensity, and who have ever more pixels."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        finer = rng.random(pixels * (1 + index % 3)).astype(np.float32)
        spread = np.exp(rng.normal(0, 0.1)) * np.where(finer > 2 / 3, 2.0, 1.0)
        found.append((finer, np.abs(rng.normal(0, spread)).astype(np.float32)))
    return found


def shares(found, scores):
    return [float(np.mean(score <= found.factor(finer))) for finer, score in scores]


def test_the_stated_share_holds_for_others_and_in_each_class_of_intensity():
    found = calibrate(units(40, seed=0), "patient", "kspace")
    fresh = units(200, seed=1)
    assert np.mean(shares(found, fresh)) == pytest.approx(0.9, abs=0.01)
    for low, high in ((0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1)):
        part = [
            (finer[chosen], score[chosen])
            for finer, score in fresh
            for chosen in [(finer >= low) & (finer < high)]
        ]
        assert 0.85 < np.mean(shares(found, part)) < 0.95


def test_every_unit_counts_the_same_however_many_pixels_it_has():
    few = [(np.full(10, 0.5, np.float32), np.full(10, 1.0, np.float32))] * 9
    many = (np.full(10**5, 0.5, np.float32), np.full(10**5, 7.0, np.float32))
    assert calibrate([*few, many], "patient", "kspace").factors == (1.0,)
    assert calibrate([*few[:8], many], "patient", "kspace").factors == (7.0,)


def test_shares_left_out_tell_how_much_patients_differ():
    found = left_out(units(12, seed=2))
    assert len(found) == 12
    assert np.mean(found) == pytest.approx(0.9, abs=0.03)
    assert min(found) < 0.89 < 0.91 < max(found)


@pytest.mark.parametrize(("coverage", "least"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_units_are_refused_and_the_least_number_is_said(coverage, least):
    assert least_units(coverage) == least
    calibrate(units(least, seed=0, pixels=10), "patient", "kspace", coverage)
    with pytest.raises(InputError, match=f"need {least} images or more .*there are {least - 1}"):
        calibrate(units(least - 1, seed=0, pixels=10), "image", "kspace", coverage)


def test_a_coverage_that_cannot_be_is_refused():
    for coverage in (0.0, 1.0, float("nan")):
        with pytest.raises(InputError, match="must be above 0 and below 1"):
            least_units(coverage)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"units": 3}, "need 9 patients or more"),
        ({"levels": [0.6, 0.1]}, "ascending"),
        ({"factors": [1.0]}, "ascending levels and a positive factor"),
        ({"factors": [1.0, -1.0]}, "positive factor"),
        ({"factors": [1.0, float("nan")]}, "positive factor"),
        ({"levels": None}, "damaged"),
        ({"coverage": "high"}, "damaged"),
    ],
)
def test_a_damaged_card_is_refused(change, said):
    card = {"coverage": 0.9, "levels": [0.1, 0.6], "factors": [1, 3], "unit": "patient", "units": 9}
    card["kernel"] = "kspace"
    assert Calibration.from_card(card) == CALIBRATION
    with pytest.raises(InputError, match=said):
        Calibration.from_card(card | change)
    del card["kernel"]
    with pytest.raises(InputError, match="damaged"):
        Calibration.from_card(card)


def test_factors_change_without_a_step():
    levels = np.linspace(-0.5, 1.5, 2001)
    factors = CALIBRATION.factor(levels)
    assert (factors.min(), factors.max()) == (1, 3)
    assert np.abs(np.diff(factors)).max() < 0.01


def test_strips_change_nothing(monkeypatch):
    torch.manual_seed(0)
    head = IntervalHead(3).eval()
    rng = np.random.default_rng(0)
    low, finer = (rng.random((40 * s, 11 * s)).astype(np.float32) for s in (1, 3))
    whole = guess(head, low, finer)
    monkeypatch.setattr("monai_sr.trust.uncertainty.STRIP_PIXELS", 33)
    np.testing.assert_allclose(guess(head, low, finer), whole, rtol=1e-5)
    assert whole.min() > 0


def upscaler():
    torch.manual_seed(0)
    estimator = IntervalEstimator(IntervalHead(2), CALIBRATION)
    return Upscaler(EDSR(2, channels=4, num_blocks=1, global_skip=True), uncertainty=estimator)


def test_half_widths_come_with_the_frames_in_real_values():
    volume = read_volume(sample_series_dir())
    finer = upscaler().stream(volume)
    assert finer.intervals.width() is None
    frame = finer.array[3]
    half_width = finer.intervals.take(3)
    assert half_width.shape == frame.shape
    assert half_width.dtype == np.float32
    assert half_width.min() >= 0 < half_width.max()
    assert finer.intervals.width([3]).median == pytest.approx(float(np.median(half_width)))
    twice = upscaler().stream(
        type(volume)(**{**vars(volume), "slope": 2 * volume.slope, "intercept": volume.intercept + 7})
    )
    np.testing.assert_array_equal(twice.array[3], frame)
    np.testing.assert_allclose(twice.intervals.take(3), 2 * half_width, rtol=1e-3)


@pytest.mark.parametrize("outside", [(), ("noise 9%",)])
def test_that_an_image_is_unlike_the_calibrations_stands_with_the_width_and_only_then(outside):
    unsure = upscaler()
    unsure.guard = lambda *_: Findings(outside)
    finer = unsure.stream(read_volume(sample_series_dir()))
    finer.array[0]
    width = finer.intervals.width()
    assert width.unlike == bool(outside)
    assert ("not calibrated for images unlike those, as this one" in str(width)) == bool(outside)


def test_pixels_without_an_image_have_none(tmp_path):
    volume = read_volume(sample_series_dir())
    array = volume.array.astype(np.float64)
    array[0, :40] = np.nan
    array[1] = np.nan
    finer = upscaler()(type(volume)(**{**vars(volume), "array": array, "stored_range": (-np.inf, np.inf)}))
    first, second = finer.intervals.take(0), finer.intervals.take(1)
    assert (first[:80] == 0).all()
    assert (first[80:] > 0).any()
    assert np.isfinite(first).all()
    assert (second == 0).all()
    assert finer.intervals.width([1]) is None
