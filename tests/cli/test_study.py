from __future__ import annotations

import csv

import pytest

from monai_sr.errors import InputError
from monai_sr.study import read_key
from tests.cli.commands import invoke, monai_sr, refused
from tests.study.conftest import write_conditions
from tests.study.study_page import saved


@pytest.fixture
def study(tmp_path):
    write_conditions(tmp_path, ("bicubic", "edsr"), ("first", "second", "third"), (6, 5))
    result = invoke(
        "study", "build", tmp_path / "bicubic", f"network={tmp_path / 'edsr'}", tmp_path / "study",
        "--readers", 2, "--repeat", 0.5, "--seed", 1, "--question", "Which is sharper?",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "2 pages of 5 trials on 3 cases" in result.output
    return tmp_path / "study"


@pytest.fixture
def answers(study, tmp_path):
    key = read_key(study)
    paths = [tmp_path / f"answers_{reader}.json" for reader in (1, 2)]
    for reader, path in enumerate(paths, start=1):
        path.write_text(saved(key, reader, lambda trial: 1 + trial.shown.index(1)))
    return paths


def test_a_study_from_folders_to_tables(study, answers, tmp_path):
    files = {name: tmp_path / f"{name}.csv" for name in ("csv", "trials")}
    result = invoke(
        "study", "export", study, *answers,
        "--csv", files["csv"], "--trials", files["trials"], "--imrmc", tmp_path / "scores.imrmc",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "2 of 2 readers, 3 cases. Modalities in iMRMC's files: 1 bicubic against network" in text
    assert "bicubic against network all readers 6 0.0 %" in text
    assert "same answer again reader 1 2 100.0 %" in text
    assert "correlation" in text
    assert "Median time of an answer: reader 1 3.0 s, reader 2 3.0 s" in text
    with files["csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["score"] for row in rows if row["modalityID"] == "2"] == ["1"] * 6
    assert "BEGIN DATA:" in (tmp_path / "scores.imrmc").read_text()
    assert "first" not in result.output + files["csv"].read_text() + (tmp_path / "scores.imrmc").read_text()


def test_the_power_is_told():
    result = invoke("study", "power", "--preference", 0.65)
    assert "97 cases, 1 reader: power 0.834 to find a preference of 0.65" in " ".join(result.output.split())
    result = invoke("study", "power", "--preference", 0.7, "--readers", 8, "--cases", 40)
    assert "40 cases, 8 readers: power 0." in result.output
    assert "random readers (correlation 0.02)" in " ".join(result.output.split())


def test_a_user_s_mistake_is_one_sentence(study, tmp_path):
    (tmp_path / "bicubic" / "second.png").write_bytes(b"\x89PNG")
    result = monai_sr("study", "build", tmp_path / "bicubic", tmp_path / "edsr", tmp_path / "out")
    refused(result, "second.png is not a readable PNG")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--csv", "{answers}"], "named twice"),
        (["--csv", "{folder}/a.csv", "--trials", "{folder}/a.csv"], "named twice"),
        (["--csv", "{folder}/none/a.csv"], "make it first"),
        (["--csv", "{folder}"], "exists"),
        (["--csv", "{folder}/a.csv", "--truth", "{folder}/truth.csv"], "Preferences have no truth"),
    ],
)
def test_an_export_that_cannot_be_is_refused_before_anything_is_written(
    study, answers, tmp_path, options, said
):
    (tmp_path / "truth.csv").write_text("case,truth\n1,0\n2,1\n3,1\n")
    before = sorted(tmp_path.iterdir())
    named = [option.format(folder=tmp_path, answers=answers[0]) for option in options]
    result = invoke("study", "export", study, *answers, *named)
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)
    assert sorted(tmp_path.iterdir()) == before


def test_an_unknown_design_is_refused(study, tmp_path):
    result = invoke(
        "study", "build", tmp_path / "edsr", tmp_path / "bicubic", tmp_path / "o", "--design", "abx"
    )
    assert "use 2afc or mos" in str(result.exception)
    result = invoke("study", "build", "nowhere", tmp_path / "bicubic", tmp_path / "o")
    assert "nowhere is not a folder" in str(result.exception)
