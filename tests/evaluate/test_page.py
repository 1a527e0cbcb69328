from __future__ import annotations

import csv
import re

import numpy as np
import pytest

from monai_sr.evaluate import evaluate, read_datalist
from monai_sr.evaluate.page import shown_patients
from monai_sr.transforms import BicubicDownsample
from tests.evaluate.runs import ABOUT, SR, Sharpened
from tests.report.report_page import ReportPage


@pytest.fixture(scope="module")
def folder(shared_datalist, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "out"
    evaluate(
        {SR: Sharpened(), "sharper": Sharpened(0.4)},
        read_datalist(shared_datalist),
        degradation=BicubicDownsample(2),
        scale_factor=2,
        out_dir=out,
        about=ABOUT,
        patient_figures=False,
    )
    return out


def test_the_page_shows_scores_slices_and_errors(browser, folder):
    opened = ReportPage(browser, folder / "report.html")
    # The worst slice by each of two methods, and of three patients the median one by each.
    assert opened.page.get_attribute("#slice", "max") == "8"
    label = re.fullmatch(
        rf"Worst slice of {SR}: patient (\d), file (\d), slice (\d): ([+-][\d.]+) dB over bicubic",
        opened.text("label"),
    )
    with (folder / "per_image.csv").open(newline="") as file:
        psnr = {
            (row["patient"], row["file"], row["frame"], row["method"]): float(row["psnr"])
            for row in csv.DictReader(file)
        }
    gains = {key[:3]: psnr[(*key[:3], SR)] - psnr[(*key[:3], "bicubic")] for key in psnr}
    assert label.groups()[:3] == min(gains, key=gains.get)
    assert float(label[4]) == pytest.approx(min(gains.values()), abs=0.006)
    markdown = (folder / "results.md").read_text()
    for row in opened.page.locator(".scores tbody tr").all():
        assert f"| {' | '.join(row.locator('th, td').all_inner_texts())} |" in markdown
    assert ABOUT["weights_sha256"] in opened.page.inner_text("main")
    assert opened.complaints == []
    opened.context.close()


def test_an_error_is_the_image_less_the_truth(browser, folder):
    opened = ReportPage(browser, folder / "report.html")
    opened.page.locator("#profile-values summary").click()
    opened.page.wait_for_selector("#profile-values tbody tr")
    heads = opened.page.locator("#profile-values th").all_inner_texts()
    assert heads == ["column", "low resolution", "bicubic", "super-resolution", "high resolution"]
    rows = opened.page.eval_on_selector_all(
        "#profile-values tbody tr",
        "rows => rows.map(row => [...row.cells].map(cell => Number(cell.textContent)))",
    )
    values = np.array(rows)
    row = int(opened.value("marker-row")) - 1
    size = (len(values), len(values))
    opened.fill(difference=0.2)
    places = [(row, column) for column in range(4, len(values) - 4, 5)]
    for name, column in (("sr-target", 3), ("bicubic-target", 2)):
        colours = opened.colours(name, opened.points(name, size, places))
        error = (values[:, column] - values[:, 4])[[place[1] for place in places]]
        assert np.abs(error).max() > 0.02
        # Orange where brighter than the truth, blue where darker.
        np.testing.assert_allclose(
            colours[:, 0] - colours[:, 2].astype(int),
            (195 * (error > 0) - 167 * (error < 0)) * np.clip(np.abs(error) / 0.2, 0, 1),
            atol=3,
        )
    opened.context.close()


@pytest.mark.parametrize(("patients", "upscalers"), [(1, 1), (5, 1), (1000, 1), (1000, 9), (3, 40)])
def test_as_many_patients_are_shown_as_there_is_room_for(patients, upscalers):
    chosen = shown_patients(patients, upscalers)
    assert chosen <= set(range(1, patients + 1))
    assert len(chosen) == min(patients, max(24 // upscalers - 1, 1))
