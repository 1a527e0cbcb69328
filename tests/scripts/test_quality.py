from __future__ import annotations

import runpy

import pytest

from tests.bundles.commands import ROOT


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "scripts" / "benchmarks" / "quality.py"))


def row(method, scale=2, kernel="bicubic", psnr=30.0, bundle=None):
    score = {"mean": psnr, "low": psnr - 1, "high": psnr + 1, "n_patients": 3}
    gain = {"mean": 1.0, "low": 0.5, "high": 1.5, "n_patients": 3}
    return {
        "modality": "mri",
        "scale": scale,
        "kernel": kernel,
        "method": method,
        "bundle": bundle,
        "scores": dict.fromkeys(("psnr", "ssim", "haar_psi", "spectrum_error_high", "vgg_distance"), score),
        "gains": {} if method == "bicubic" else {"bicubic": {"psnr": gain}},
    }


def test_rows_are_replaced_and_kept_in_order(script):
    old = [row("bicubic"), row("edsr_mri", bundle="edsr_mri"), row("bicubic", scale=4)]
    new = [row("edsr_mri", psnr=35.0, bundle="edsr_mri"), row("lanczos"), row("bicubic", kernel="kspace")]
    merged = script["merge"](old, new)
    assert [(r["scale"], r["kernel"], r["method"]) for r in merged] == [
        (2, "bicubic", "bicubic"),
        (2, "bicubic", "lanczos"),
        (2, "bicubic", "edsr_mri"),
        (2, "kspace", "bicubic"),
        (4, "bicubic", "bicubic"),
    ]
    assert merged[2]["scores"]["psnr"]["mean"] == 35


def test_a_row_says_its_gain_with_its_interval(script):
    lines = script["table"]([row("bicubic"), row("edsr_mri", bundle="edsr_mri")]).splitlines()
    assert lines[2].startswith("| mri | x2 | bicubic | bicubic | 30.00 |")
    assert lines[3].startswith("| mri | x2 | bicubic | **edsr_mri** | 30.00 |")
    assert "| +1.00 [+0.50, +1.50] |" in lines[3]


def test_a_changed_weight_or_table_is_found(script):
    kept = {"rows": [], "command": "none", "vgg_weights_sha256": "none"}
    faults = script["check"](kept)
    assert any("README.md does not show" in fault for fault in faults)
    assert any("model.pt is not what" in fault for fault in faults)
