from __future__ import annotations

import csv
import math

import numpy as np
import pytest
import torch
from monai.transforms import Compose
from scipy.ndimage import gaussian_filter

from monai_sr.evaluate import BASELINES, bicubic, evaluate, read_datalist
from monai_sr.evaluate.hallucination import (
    HALLUCINATION_CONVENTIONS,
    HALLUCINATION_METRICS,
    SLICE_METRICS,
    HallucinationTests,
    slice_maps,
)
from monai_sr.evaluate.lesions import Lesion, draw_disc
from monai_sr.evaluate.pairs import Pairs
from monai_sr.transforms import BicubicDownsample, RandRicianNoise
from tests.evaluate.runs import METHODS, SR, Sharpened, run


@pytest.fixture(scope="module")
def images():
    """Original, and what interpolation makes of it."""
    generator = np.random.default_rng(0)
    high = gaussian_filter(generator.random((160, 192)), 3) * 2 + gaussian_filter(
        generator.random((160, 192)), 1
    )
    # Its own structure is faint, as inside an organ: what is planted dominates its patch.
    high = (0.35 + 0.2 * (high - high.min()) / np.ptp(high)).astype(np.float32)
    low = np.asarray(BicubicDownsample(2)(torch.from_numpy(high)[None]))
    return high, bicubic(low, 2)[0]


def test_the_original_is_perfect(images):
    high, low = images
    scores = slice_maps(high, low, high, 2).scores()
    assert scores == dict(zip(SLICE_METRICS, (1, 0, 0, 2, 0), strict=True))


def test_bicubic_omits_and_agrees_with_what_it_was_given(images):
    high, low = images
    scores = slice_maps(low, low, high, 2).scores()
    assert (scores["improved"], scores["omitted"], scores["hallucinated"]) == (0, 1, 0)
    assert scores["frc_flagged"] == 0
    assert 0.8 < scores["frc_cutoff"] < 1.6


@pytest.mark.parametrize("contrast", [0.5, -0.5])
@pytest.mark.parametrize("radius", [2, 5])
def test_a_planted_hallucination_is_found_at_its_place(images, radius, contrast):
    high, low = images
    disc = draw_disc(high.shape, Lesion(90, 70, radius, 1), 2).astype(np.float32)
    before, after = slice_maps(high, low, high, 2), slice_maps(high + contrast * disc, low, high, 2)
    assert after.scores()["hallucinated"] > before.scores()["hallucinated"] + 0.005
    place = np.unravel_index(after.split[2].argmax(), after.split[2].shape)
    assert np.hypot(place[0] * 4 + 2 - 90, place[1] * 4 + 2 - 70) < radius + 4
    flagged = np.argwhere(after.cutoff < 0.5) * 16 + 16  # the patches' middles
    assert len(flagged) > 0
    assert np.abs(flagged - (90, 70)).max() < 16 + radius + 2
    assert after.scores()["frc_flagged"] > before.scores()["frc_flagged"]


def test_maps_of_pixels_show_each_the_patch_about_it(images):
    high, low = images
    disc = draw_disc(high.shape, Lesion(90, 70, 5, 1), 2).astype(np.float32)
    maps = slice_maps(high + 0.5 * disc, low, high, 2)
    shown = maps.on_pixels((158, 190), 2)
    assert {image.shape for image in shown.values()} == {(158, 190)}
    np.testing.assert_array_equal(shown["hallucinated"][::4, ::4], maps.split[2])
    np.testing.assert_array_equal(shown["omitted"][3::4, 3::4], maps.split[1][:39, :47])
    assert shown["cutoff"][90, 70] < 0.5
    # At the middle of a patch of 32 pixels, that patch.
    assert shown["cutoff"][16, 32] == maps.cutoff[0, 1]
    assert shown["cutoff"][16, 16] == maps.cutoff[0, 0]


def test_a_structure_that_was_left_out_is_omitted(images):
    high, low = images
    disc = draw_disc(high.shape, Lesion(90, 70, 2, 1), 2).astype(np.float32)
    # The original has it, the method shows the original without it.
    before, after = (slice_maps(high, low, target, 2) for target in (high, high + 0.5 * disc))
    assert after.scores()["omitted"] > before.scores()["omitted"] + 0.005
    place = np.unravel_index(after.split[1].argmax(), after.split[1].shape)
    assert np.hypot(place[0] * 4 + 2 - 90, place[1] * 4 + 2 - 70) < 6
    assert after.scores()["frc_flagged"] > 0


def test_an_empty_slice_has_no_scores():
    empty = np.zeros((64, 64), np.float32)
    assert all(math.isnan(value) for value in slice_maps(empty, empty, empty, 2).scores().values())


@pytest.fixture(scope="module")
def result(shared_datalist, tmp_path_factory):
    return run(
        shared_datalist,
        tmp_path_factory.mktemp("made_up") / "out",
        hallucination=True,
        patient_figures=False,
        max_slices=3,
    )


def test_an_evaluation_has_every_measure_of_every_method(result):
    for method in METHODS:
        assert result.summary[method].keys() >= HALLUCINATION_METRICS.keys()
    assert result.summary["bicubic"]["omitted"].mean == 1
    assert 0 < result.summary[SR]["improved"].mean < 1
    assert result.differences[SR]["improved"].mean > 0
    assert result.differences[SR]["lesion_auc"].low <= result.differences[SR]["lesion_auc"].high
    assert HALLUCINATION_CONVENTIONS.items() <= result.conventions.items()
    assert "lesion AUC" in (result.out_dir / "results.md").read_text()
    assert "FRC flagged" in (result.out_dir / "report.html").read_text()
    assert (result.out_dir / "hallucination_sharpened.png").is_file()


def test_lesions_are_inserted_into_at_most_two_slices_of_a_file(result):
    with (result.out_dir / "per_image.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == SR]
    for number in {row["file"] for row in rows}:
        own = [row for row in rows if row["file"] == number]
        assert sum(row["lesion_auc"] != "" for row in own) == min(2, len(own))
        assert all(row["hallucinated"] != "" for row in own)


def test_the_slice_of_which_most_was_made_up_is_kept(images):
    high, low = images
    pairs = Pairs(np.zeros((2, 80, 96), np.float32), np.stack([high, high]), (1, 2), 0)
    invented = low.copy()
    invented[20:40, 20:40] += 0.3
    methods = {**dict.fromkeys(BASELINES, np.stack([low, low])), SR: np.stack([invented, low])}
    tests = HallucinationTests({SR: Sharpened().predict}, BicubicDownsample(2), 2)
    scores = [tests(pairs, index, methods, f"slice {index}")[SR] for index in (0, 1)]
    assert scores[0]["hallucinated"] > 0.1 > scores[1]["hallucinated"] == 0
    assert scores[0]["frc_flagged"] > scores[1]["frc_flagged"] == 0
    assert tests.suspects.keys() == {SR}
    assert tests.suspects[SR].title == f"{SR}: slice 0"
    np.testing.assert_array_equal(tests.suspects[SR].pred, invented)


@pytest.mark.parametrize("part", [[], [BicubicDownsample(2)]])
def test_a_random_degradation_is_refused(shared_datalist, tmp_path, part):
    noise = RandRicianNoise(prob=1, std=(0.1, 0.1))
    degradation = Compose([*part, noise]) if part else noise
    with pytest.raises(ValueError, match="degradation is random"):
        evaluate(
            {SR: Sharpened()},
            read_datalist(shared_datalist),
            degradation=degradation,
            scale_factor=2,
            out_dir=tmp_path / "out",
            hallucination=True,
        )
    assert not (tmp_path / "out").exists()
