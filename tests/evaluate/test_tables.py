from __future__ import annotations

import csv
import json
import math

from monai_sr.evaluate.statistics import Estimate, ImageScore, PatientScore
from monai_sr.evaluate.tables import markdown_table, write_image_table, write_json, write_markdown

TITLES = {"psnr": "PSNR (dB)", "ssim": "SSIM"}
SUMMARY = {
    "bicubic": {"psnr": Estimate(30.125, 29.0, 31.0, 3), "ssim": Estimate(0.9, 0.85, 0.95, 2)},
    "lanczos": {"psnr": Estimate(30.5, None, None, 1), "ssim": Estimate(math.nan, None, None, 0)},
}


def test_known_rows():
    assert markdown_table(SUMMARY, TITLES) == [
        "| method | PSNR (dB) | SSIM |",
        "|---|---|---|",
        "| bicubic | 30.12 [29.00, 31.00] | 0.9000 [0.8500, 0.9500] (2 of 3 patients) |",
        "| lanczos | 30.50 | n/a |",
    ]


def test_differences_carry_their_sign():
    table = {"lanczos": {"psnr": Estimate(0.5, -0.25, 1.0, 2)}}
    assert markdown_table(table, {"psnr": "PSNR"}, signed=True)[-1] == "| lanczos | +0.50 [-0.25, +1.00] |"


def test_a_missing_value_is_an_empty_cell(tmp_path):
    scores = [ImageScore(1, 2, 3, "bicubic", {"psnr": 30.0, "ssim": math.nan})]
    write_image_table(scores, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["patient", "file", "frame", "method", "psnr", "ssim"],
            ["1", "2", "3", "bicubic", "30.000000", ""],
        ]


def test_json_is_valid_where_values_are_missing(tmp_path):
    patients = [PatientScore(1, "bicubic", 2, {"psnr": 30.0, "ssim": math.nan})]
    write_json(SUMMARY, {}, patients, {"border": "none"}, {"patients": 1}, tmp_path / "results.json")
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["methods"]["lanczos"]["ssim"]["mean"] is None
    assert content["patients"] == [
        {"patient": 1, "method": "bicubic", "n_images": 2, "scores": {"psnr": 30.0, "ssim": None}}
    ]


def test_markdown_holds_both_tables_and_the_conventions(tmp_path):
    differences = {"lanczos": {"psnr": Estimate(0.5, None, None, 1), "ssim": Estimate(0.1, None, None, 1)}}
    write_markdown(SUMMARY, differences, TITLES, {"border": "none"}, tmp_path / "results.md")
    text = (tmp_path / "results.md").read_text()
    assert (
        text.index("| bicubic | 30.12") < text.index("| lanczos | +0.50") < text.index("- **border**: none")
    )
