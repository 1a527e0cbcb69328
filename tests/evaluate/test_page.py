from __future__ import annotations

import base64
import csv
import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from monai_sr.evaluate import evaluate, read_datalist
from monai_sr.evaluate.page import shown_patients
from monai_sr.transforms import BicubicDownsample
from tests.evaluate import planting
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


@pytest.fixture(scope="module")
def made_up(shared_datalist, tmp_path_factory):
    return planting.run(shared_datalist, tmp_path_factory.mktemp("made_up") / "out")


def tables(opened):
    """Caption -> row -> texts of its cells by their heading."""
    return {
        table.locator("caption").inner_text(): {
            row.locator("th").inner_text(): dict(
                zip(
                    table.locator("thead th").all_inner_texts()[1:],
                    row.locator("td").all_inner_texts(),
                    strict=True,
                )
            )
            for row in table.locator("tbody tr").all()
        }
        for table in opened.page.locator(".scores").all()
    }


def test_the_table_tells_who_makes_things_up(browser, made_up):
    opened = ReportPage(browser, made_up.out_dir / "report.html")
    found = tables(opened)
    differences = found["What is made up: Paired difference to bicubic"]
    assert found.keys() == {
        f"{subject}{caption}"
        for subject in ("", "What is made up: ")
        for caption in ("Mean over patients [95% confidence interval]", "Paired difference to bicubic")
    }
    assert "hallucinated" not in found["Paired difference to bicubic"][planting.HONEST]
    honest, planted = (differences[name] for name in (planting.HONEST, planting.PLANTING))
    share = {name: float(cells["hallucinated"].split()[0]) for name, cells in differences.items()}
    assert share[planting.PLANTING] > 1.5 * share[planting.HONEST] > 0
    assert planted["hallucinated"].startswith("+")
    assert float(planted["FRC flagged"].split()[0]) > float(honest["FRC flagged"].split()[0])
    assert opened.complaints == []
    opened.context.close()


def test_the_map_shows_what_was_planted_and_where(browser, made_up):
    opened = ReportPage(browser, made_up.out_dir / "report.html")
    inside = (planting.ROW + planting.SIDE // 2, planting.COLUMN + planting.SIDE // 2)
    glow, told = {}, {}
    for _ in range(int(opened.page.get_attribute("#slice", "max"))):
        if label := re.match("Most made up by (\\w+): patient", opened.text("label")):
            shape = tuple(map(int, opened.page.inner_text("[data-size=sr]").split(" × ")))
            maps = opened.page.locator("[data-layer]:visible figcaption")
            assert [text.split("\n")[0].split(" row")[0] for text in maps.all_inner_texts()] == [
                "Hallucinated",
                "Omitted",
                "Ring cut-off",
            ]
            places = [inside, (6, shape[1] - 6), (shape[0] - 6, 6)]
            glow[label[1]] = {
                name: opened.colours(name, opened.points(name, shape, places)).sum(axis=1)
                for name in ("hallucinated", "cutoff")
            }
            opened.fill(**{"marker-row": inside[0] + 1, "marker-column": inside[1] + 1})
            told[label[1]] = float(re.search(r"; hallucinated ([\d.]+);", opened.text("readout"))[1])
            assert opened.text("note").startswith("Of this slice: improved 0.")
        else:
            assert opened.page.locator("[data-layer]:visible").count() == 0
        opened.click("next")
        opened.shown()
    # The planted contrast, and its place.
    assert told[planting.PLANTING] > 0.2 > 0.05 > told[planting.HONEST]
    assert glow[planting.PLANTING]["hallucinated"][0] > 300 + glow[planting.HONEST]["hallucinated"][0]
    assert (glow[planting.PLANTING]["hallucinated"][1:] < 200).all()
    assert glow[planting.PLANTING]["cutoff"][0] > glow[planting.HONEST]["cutoff"][0] + 100
    assert opened.complaints == []
    opened.context.close()


def test_the_curves_of_the_lesion_test_stand_beside_the_tables(browser, made_up):
    opened = ReportPage(browser, made_up.out_dir / "report.html")
    picture = opened.page.locator(".illustration img")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 400")
    written = base64.b64encode((made_up.out_dir / "lesion_roc.png").read_bytes()).decode()
    assert picture.get_attribute("src") == f"data:image/png;base64,{written}"
    areas = dict(re.findall(r"(\w+) (0\.\d{3})", picture.get_attribute("alt")))
    assert areas.keys() == {"bicubic", planting.HONEST, planting.PLANTING}
    with (made_up.out_dir / "per_image.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["lesion_auc"]]
    for name, area in areas.items():
        own = [float(row["lesion_auc"]) for row in rows if row["method"] == name]
        assert min(own) - 1e-3 <= float(area) <= max(own) + 1e-3
    assert Axe().run(opened.page).response["violations"] == []
    opened.context.close()


def test_without_that_measure_there_are_neither_maps_nor_curves(browser, folder):
    opened = ReportPage(browser, folder / "report.html")
    assert opened.page.locator("[data-layer], .illustration").count() == 0
    assert not (folder / "lesion_roc.png").exists()
    assert len(tables(opened)) == 2
    opened.context.close()


@pytest.mark.parametrize(("patients", "upscalers"), [(1, 1), (5, 1), (1000, 1), (1000, 9), (3, 40)])
def test_as_many_patients_are_shown_as_there_is_room_for(patients, upscalers):
    chosen = shown_patients(patients, upscalers)
    assert chosen <= set(range(1, patients + 1))
    assert len(chosen) == min(patients, max(24 // upscalers - 1, 1))
