from __future__ import annotations

import pytest

from tests.evaluate.runs import ABOUT, SR, run


@pytest.mark.usefixtures("without_figures")
def test_the_report_states_its_conventions(shared_datalist, tmp_path):
    result = run(shared_datalist, tmp_path / "out", about=ABOUT)
    text = (result.out_dir / "results.md").read_text()
    mean = result.summary[SR]["psnr"].mean
    assert f"| {SR} | {mean:.2f} [" in text
    for stated in (
        "**channel**: one gray channel",
        "**border**: no pixel cropped",
        "**data_range**: 1",
        "BicubicDownsample(scale_factor=2, blur_sigma=0.0)",
        "antialias=True",
        "edsr_mri 0.1.0",
        "ab" * 32,
        "3 with 4 files",
        "10 scored by every method, 2 left out",
        "10000 resamples",
        "narrower than the true uncertainty",
        "monai-sr 0.1.0",
    ):
        assert stated in text
