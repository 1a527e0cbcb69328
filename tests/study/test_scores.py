from __future__ import annotations

import csv

import pytest

from monai_sr.errors import InputError
from monai_sr.study import (
    join_scores,
    modalities,
    read_answers,
    read_truth,
    write_imrmc,
    write_scores,
    write_trials,
)


@pytest.fixture
def preferred(preference, write_answers):
    """Answers of two readers, the first of whom prefers condition 1 always and the second in case 0 alone."""
    key = preference[1]
    files = [
        write_answers(key, 1, lambda trial: 1 + trial.shown.index(1)),
        write_answers(key, 2, lambda trial: 1 + trial.shown.index(int(trial.case == 0))),
    ]
    return key, [answer for one in read_answers(key, files).values() for answer in one]


@pytest.fixture
def rated(rating, write_answers):
    key = rating[1]
    files = [
        write_answers(key, n, lambda trial, n=n: 1 + (trial.case + trial.shown[0] + n) % 5) for n in (1, 2)
    ]
    return key, [answer for one in read_answers(key, files).values() for answer in one]


def parse(path):
    """An .imrmc file by the rules of iMRMC's manual: sizes in four lines, rows of four fields, no spaces."""
    lines = path.read_text().splitlines()
    begin = lines.index("BEGIN DATA:")
    sizes = {
        name: int(next(line for line in lines[:begin] if line.startswith(f"{name}:")).split(":")[1])
        for name in ("NR", "N0", "N1", "NM")
    }
    rows = [line.split(",") for line in lines[begin + 1 :]]
    assert all(len(row) == 4 and not any(" " in field for field in row) for row in rows)
    truth = {int(case): int(score) for reader, case, _, score in rows if reader == "-1"}
    found = {tuple(map(int, row[:3])): float(row[3]) for row in rows if row[0] != "-1"}
    assert len(truth) + len(found) == len(rows)  # nothing is there twice, which iMRMC refuses
    assert sizes == {
        "NR": len({reader for reader, _, _ in found}),
        "N0": list(truth.values()).count(0),
        "N1": list(truth.values()).count(1),
        "NM": len({modality for _, _, modality in found}),
    }
    return truth, found


def auc(truth, found, reader, modality):
    """Area under the ROC curve by comparing all pairs."""
    scores = {case: score for (r, case, m), score in found.items() if (r, m) == (reader, modality)}
    pairs = [(scores[a], scores[b]) for a in truth if truth[a] for b in truth if not truth[b]]
    return sum((one > other) + 0.5 * (one == other) for one, other in pairs) / len(pairs)


def test_preferences_become_successes_of_mirrored_modalities(preferred):
    key, answers = preferred
    assert modalities(key) == ["bicubic against edsr_mri", "edsr_mri against bicubic"]
    found = {(score.reader, score.case, score.modality): score.score for score in join_scores(key, answers)}
    assert found == {
        (reader, case, modality): float((modality == 2) == (reader == 1 or case == 1))
        for reader in (1, 2)
        for case in (1, 2, 3, 4)
        for modality in (1, 2)
    }


def test_imrmc_finds_the_share_of_preference_as_auc(preferred, tmp_path):
    key, answers = preferred
    write_imrmc(tmp_path / "s.imrmc", key, join_scores(key, answers), {})
    truth, found = parse(tmp_path / "s.imrmc")
    assert [auc(truth, found, reader, 2) for reader in (1, 2)] == [1, 0.25]
    assert [auc(truth, found, reader, 1) for reader in (1, 2)] == [0, 0.75]


def test_ratings_with_truth_are_roc_data(rated, tmp_path):
    key, answers = rated
    found = join_scores(key, answers)
    with pytest.raises(InputError, match="--truth"):
        write_imrmc(tmp_path / "s.imrmc", key, found, {})
    assert not (tmp_path / "s.imrmc").exists()
    (tmp_path / "truth.csv").write_text(f"case,truth\n1,0\n{key.cases[1]},1\n3,1\n4,0\n")
    truth = read_truth(key, tmp_path / "truth.csv")
    assert truth == {1: 0, 2: 1, 3: 1, 4: 0}
    write_imrmc(tmp_path / "s.imrmc", key, found, truth)
    assert parse(tmp_path / "s.imrmc") == (
        truth,
        {(r, c, m): 1 + (c - 1 + m - 1 + r) % 5 for r in (1, 2) for c in (1, 2, 3, 4) for m in (1, 2, 3)},
    )
    write_scores(tmp_path / "s.csv", found, truth)
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["readerID", "caseID", "modalityID", "score"]
    assert [row["score"] for row in rows if row["readerID"] == "-1"] == ["0", "1", "1", "0"]
    assert len(rows) == 4 + 2 * 4 * 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("case,truth\n1,0\n1,1\n", "Line 3"),
        ("case,truth\n1,2\n", "Line 2"),
        ("case,truth\n7,1\n", "Line 2"),
        ("name;truth\n1;1\n", "Line 2"),
        ("case,truth\n1,1\n", "1 of 4 cases"),
        ("case,truth\n1,1\n2,1\n3,1\n4,1\n", "one truth only"),
    ],
)
def test_a_wrong_truth_is_refused(rating, tmp_path, text, said):
    (tmp_path / "truth.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_truth(rating[1], tmp_path / "truth.csv")
    with pytest.raises(InputError, match="cannot be opened"):
        read_truth(rating[1], tmp_path / "none.csv")


def test_every_trial_is_told_with_its_time(preferred, tmp_path):
    key, answers = preferred
    write_trials(tmp_path / "t.csv", key, answers)
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert [row["repeat"] for row in rows[:6]] == ["0"] * 4 + ["1"] * 2
    assert {row["answer"] for row in rows[:6]} == {"edsr_mri"}
    assert [int(row["milliseconds"]) for row in rows[:6]] == [1000, 2000, 3000, 4000, 5000, 6000]
    assert {row["left"] for row in rows} == {row["right"] for row in rows} == {"bicubic", "edsr_mri"}
