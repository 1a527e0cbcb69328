from __future__ import annotations

import runpy

import pytest

from monai_sr.evaluate.hallucination import HALLUCINATION_METRICS
from monai_sr.evaluate.phantom_tests import PHANTOM_METRICS
from tests.bundles.commands import ROOT


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "scripts" / "benchmarks" / "hallucination.py"))


def row(method, bundle="edsr_mri", scale=2, auc=0.9):
    score = {"mean": 0.5, "low": 0.25, "high": 0.75, "n_patients": 3}
    gain = {"mean": -0.01, "low": -0.02, "high": 0.01, "n_patients": 3}
    return {
        "bundle": bundle,
        "scale": scale,
        "method": method,
        "slices": dict.fromkeys(HALLUCINATION_METRICS, score) | {"lesion_auc": {**score, "mean": auc}},
        "gains": None if method == "bicubic" else dict.fromkeys(HALLUCINATION_METRICS, gain),
        "phantoms": dict.fromkeys(PHANTOM_METRICS, 1.25),
        "conventions": {"slices": "all"},
    }


def test_a_table_has_every_measure_and_the_paired_difference(script):
    lines = script["table"]([row("bicubic"), row("edsr_mri", auc=0.8)]).splitlines()
    assert len(lines) == 2 + len(HALLUCINATION_METRICS) + 1 + len(PHANTOM_METRICS)
    assert "| lesion AUC | 0.900 [0.250, 0.750] | 0.800 [0.250, 0.750] |" in lines
    assert "| its difference to bicubic |  | -0.010 [-0.020, +0.010] |" in lines
    assert "| phantoms: overshoot | 1.25 | 1.25 |" in lines


def test_a_bundle_is_measured_anew_and_others_are_kept(script):
    old = [row("bicubic"), row("gone"), row("bicubic", "srgan_mri"), row("bicubic", scale=4)]
    merged = script["merge"](old, [row("edsr_mri"), row("bicubic", auc=0.7)])
    assert [(r["bundle"], r["scale"], r["method"]) for r in merged] == [
        ("edsr_mri", 2, "bicubic"),
        ("edsr_mri", 2, "edsr_mri"),
        ("edsr_mri", 4, "bicubic"),
        ("srgan_mri", 2, "bicubic"),
    ]
    assert merged[0]["slices"]["lesion_auc"]["mean"] == 0.7


def test_a_report_states_how_its_numbers_came_about(script):
    kept = {"command": "this", "rows": [row("bicubic"), row("edsr_mri")], "conventions": {"edge": "so"}}
    text = script["report"](kept)
    for expected in ("`this`", "## edsr_mri x2", "slices: all", "- edge: so"):
        assert expected in text


def test_a_card_shows_its_own_bundle_alone_and_a_stale_one_is_found(script):
    kept = {"command": "this", "rows": [row("bicubic"), row("edsr_mri")], "conventions": {"edge": "so"}}
    kept["rows"][0]["weights_sha256"] = None
    kept["rows"][1]["weights_sha256"] = "another"
    texts = {path.parents[1].name: text for path, text in script["pages"](kept).items()}
    assert len(texts) == 10
    assert "| x2 | edsr_mri |" in texts["docs"]
    assert "| bicubic |" not in texts["docs"]
    assert "#### x2" in texts["edsr_mri"]
    assert "#### x2" not in texts["srgan_mri"]
    faults = script["check"](kept)
    assert "bundles/edsr_mri/docs/README.md does not show the tables of hallucination.json" in faults
    assert "bundles/edsr_mri/models/model.pt is not what hallucination.json was measured with" in faults
