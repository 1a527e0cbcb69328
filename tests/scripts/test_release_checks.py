from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import monai_sr
from monai_sr.bundle import find_bundle
from monai_sr.evaluate import EvaluationItem
from monai_sr.trust.uncertainty import Calibration
from monai_sr.upscaler import Upscaler
from scripts import release_checks
from scripts.release_checks import Candidate
from scripts.release_gate import crop
from tests.test_upscaler import Function

SAMPLE = Path(monai_sr.__file__).parent / "sample" / "nifti" / "mni152_test.nii.gz"


def planted(bundle, **functions):
    """A bundle at x2 with other networks in the place of its own, stage by stage."""
    stages = {stage: Upscaler(Function(function)) for stage, function in functions.items()}
    return Candidate(find_bundle(bundle), 2, stages)


def unchanged(finer):
    return finer


def blurred(finer):
    # Twice, since once leaves more beyond the Nyquist frequency than Lanczos does.
    for _ in range(2):
        finer = F.avg_pool2d(finer, 5, stride=1, padding=2, count_include_pad=False)
    return finer


def square(finer):
    finer = finer.clone()
    finer[..., 90:100, 90:100] += 0.3
    return finer


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    return crop([EvaluationItem(SAMPLE, "sample")], tmp_path_factory.mktemp("set") / "mri", 128, 2)


@pytest.fixture(scope="module")
def released():
    return Candidate.load(find_bundle("edsr_mri"), 2)


def holds(checks):
    return [check.holds for check in checks]


def test_released_weights_hold(released, items):
    assert holds(release_checks.check_quality(released, items)) == [True, True]
    assert holds(release_checks.check_consistency(released, items)) == [True, True]
    assert holds(release_checks.check_geometry(released)) == [True, True]


def test_an_adversarial_bundle_has_both_stages():
    candidate = Candidate.load(find_bundle("swift_srgan_mri"), 2)
    assert list(candidate.stages) == ["pixel", "final"]
    frame = np.random.default_rng(0).random((1, 24, 24))
    pixel, final = (upscaler.predict(frame) for upscaler in candidate.stages.values())
    assert not np.allclose(pixel, final)
    assert {upscaler.runtime.precision for upscaler in candidate.stages.values()} == {"float32"}


def test_blur_fails(items):
    for bundle, stages in (("edsr_mri", ["final"]), ("srgan_mri", ["pixel", "final"])):
        candidate = planted(bundle, **dict.fromkeys(stages, blurred))
        assert holds(release_checks.check_quality(candidate, items)) == [False, False] * len(stages)


def test_only_an_adversarial_stage_is_judged_by_its_spectrum(items):
    candidate = planted("srgan_mri", pixel=blurred, final=blurred)
    found = [check.what.split(" than")[0] for check in release_checks.check_quality(candidate, items)]
    assert found[::2] == ["pixel: PSNR more", "final: high spectrum error less"]


def test_a_network_that_changes_what_was_seen_fails(items):
    candidate = planted("edsr_mri", final=lambda finer: 0.8 * finer)
    differs, enforced = release_checks.check_consistency(candidate, items)
    assert not differs.holds
    assert enforced.holds


@pytest.mark.parametrize(("largest", "is_kept"), [(0.5, True), (0.51, False)])
def test_an_image_that_was_not_made_to_agree_fails(monkeypatch, items, largest, is_kept):
    found = {"rms": 0.0, "enforced": largest}
    monkeypatch.setattr(release_checks.consistency, "measure", lambda *_: found)
    candidate = planted("edsr_mri", final=unchanged)
    assert holds(release_checks.check_consistency(candidate, items)) == [True, is_kept]


class Constant:
    """Intervals of one half-width."""

    calibration = Calibration(0.9, (0.5,), (1.0,), "patient", 9, "kspace")

    def __init__(self, half_width):
        self.half_width = half_width

    def __call__(self, low, finer):
        return np.full(finer.shape, self.half_width, np.float32)


@pytest.mark.parametrize(("factor", "is_kept"), [(1, True), (0.5, False), (3, False)])
def test_wrong_intervals_fail(monkeypatch, items, factor, is_kept):
    candidate = planted("edsr_mri", final=unchanged)
    (item,) = items
    coarse, high = release_checks.coverage.pair(item, "kspace", 2)
    off = np.abs(np.asarray(candidate.bare()(coarse).array, np.float64) - high)
    source = np.asarray(coarse.array)
    half_width = factor * np.quantile(off, 0.9) / (source.max() - source.min())
    monkeypatch.setattr(release_checks.IntervalEstimator, "from_card", lambda *_: Constant(half_width))
    assert holds(release_checks.check_coverage(candidate, items)) == [is_kept]


def test_a_bundle_without_intervals_fails(monkeypatch, items):
    candidate = planted("edsr_mri", final=unchanged)
    monkeypatch.setitem(candidate.bundle.card, "intervals", {})
    assert holds(release_checks.check_coverage(candidate, items)) == [False]


def test_a_structure_from_nowhere_fails():
    (made_up,) = release_checks.check_phantoms(planted("edsr_mri", final=square))
    assert not made_up.holds


@pytest.mark.parametrize(
    ("stated", "is_kept"),
    [
        ({"scale": 2, "rate": 2.0}, True),
        ({"scale": 2, "rate": 1.9}, False),
        ({"scale": 4, "rate": 2.0}, False),
        ({"scale": 2, "rate": 2.0, "weights": "others"}, False),
    ],
)
def test_an_adversarial_stage_needs_a_measured_rate(monkeypatch, tmp_path, stated, is_kept):
    candidate = planted("srgan_mri", pixel=unchanged, final=unchanged)
    row = {
        "bundle": "srgan_mri",
        "scale": stated["scale"],
        "method": "srgan_mri",
        "weights_sha256": stated.get("weights", candidate.bundle.weights(2).sha256),
        "phantoms": {"standing_out": stated["rate"]},
    }
    (tmp_path / "told.json").write_text(json.dumps({"rows": [row]}))
    monkeypatch.setattr(release_checks, "HALLUCINATION", tmp_path / "told.json")
    rates = {"pixel": {"standing_out": 0.0}, "final": {"standing_out": 2.0}}
    monkeypatch.setattr(release_checks, "score_false_structures", lambda *_: rates)
    pixel, final = release_checks.check_phantoms(candidate)
    assert pixel.holds
    assert final.holds == is_kept
    assert ("not in told.json" in final.limit) == (not is_kept and stated["rate"] == 2.0)


def test_a_shift_fails():
    shift, again = release_checks.check_geometry(planted("edsr_mri", final=lambda x: torch.roll(x, 1, -1)))
    assert not shift.holds
    assert again.holds


def test_another_result_each_time_fails():
    candidate = planted("edsr_mri", final=lambda finer: finer + torch.rand(1))
    _, again = release_checks.check_geometry(candidate)
    assert not again.holds


def test_precision_that_nobody_measured_fails(monkeypatch):
    candidate = planted("edsr_mri", final=unchanged)
    assert holds(release_checks.check_precision(candidate)) == [True]
    monkeypatch.setitem(candidate.bundle.card, "precision", {})
    assert holds(release_checks.check_precision(candidate)) == [False]
