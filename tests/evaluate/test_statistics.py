from __future__ import annotations

import math

import numpy as np
import pytest

from monai_sr.evaluate.statistics import ImageScore, average_patients, estimate_mean, summarise


def scores(patient, method, *values, file=1, metric="psnr"):
    return [
        ImageScore(patient, file, frame, method, {metric: value})
        for frame, value in enumerate(values, start=1)
    ]


def test_a_patient_with_many_slices_does_not_outweigh_another():
    patients = average_patients([*scores(1, "bicubic", 30, 30, 30, 30), *scores(2, "bicubic", 40)])
    assert [score.scores["psnr"] for score in patients] == [30, 40]
    assert [score.n_images for score in patients] == [4, 1]
    estimate = summarise(patients)["bicubic"]["psnr"]
    assert (estimate.mean, estimate.n_patients) == (35, 2)


def test_a_patients_files_are_averaged_by_slice():
    images = [*scores(1, "bicubic", 10, 10, 10, file=1), *scores(1, "bicubic", 30, file=2)]
    assert average_patients(images)[0].scores["psnr"] == 15


def test_missing_values_are_left_out():
    patients = average_patients(
        [*scores(1, "bicubic", 0.9, math.nan), *scores(2, "bicubic", math.nan), *scores(3, "bicubic", 0.7)]
    )
    estimate = summarise(patients)["bicubic"]["psnr"]
    assert estimate.mean == pytest.approx(0.8)
    assert estimate.n_patients == 2
    assert math.isnan(estimate_mean([math.nan]).mean)


def test_differences_are_paired():
    images = []
    for patient, (base, gain) in enumerate([(20, 1.0), (40, 1.2), (60, 0.8)], start=1):
        images += [*scores(patient, "bicubic", base), *scores(patient, "super-resolution", base + gain)]
    patients = average_patients(images)
    differences = summarise(patients, baseline="bicubic")
    assert differences.keys() == {"super-resolution"}
    estimate = differences["super-resolution"]["psnr"]
    assert estimate.mean == pytest.approx(1)
    # Patients differ by 20 dB, the gain by 0.2: only a paired interval is this narrow.
    assert estimate.high - estimate.low < 0.5
    unpaired = summarise(patients)["super-resolution"]["psnr"]
    assert unpaired.high - unpaired.low > 20


def test_a_baseline_that_lacks_a_patient_is_refused():
    with pytest.raises(ValueError, match="patient 2"):
        summarise(
            average_patients([*scores(1, "bicubic", 1), *scores(2, "super-resolution", 1)]),
            baseline="bicubic",
        )


@pytest.mark.parametrize("values", [[], [3.0], [3.0, math.nan]])
def test_no_interval_below_two_patients(values):
    estimate = estimate_mean(values)
    assert estimate.low is None
    assert estimate.high is None


def test_the_interval_is_reproducible_and_leaves_the_global_generator_alone():
    state = np.random.get_state()[1].copy()
    values = np.random.default_rng(0).normal(size=30)
    assert estimate_mean(values) == estimate_mean(values)
    assert estimate_mean(values, seed=1) != estimate_mean(values)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_the_interval_of_two_patients_is_known():
    # The mean of two draws is 0, 1 or 2 with probability 1/4, 1/2, 1/4: both tails hold the ends.
    estimate = estimate_mean([0.0, 2.0])
    assert (estimate.low, estimate.high) == (0, 2)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    trials = 400
    covered = 0
    for _ in range(trials):
        estimate = estimate_mean(generator.normal(30, 2, size=25), n_resamples=500)
        covered += estimate.low <= 30 <= estimate.high
    assert 0.89 <= covered / trials <= 0.98


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="values"):
        estimate_mean([[1.0, 2.0]])
    with pytest.raises(ValueError, match="n_resamples"):
        estimate_mean([1.0, 2.0], n_resamples=0)
