"""Answers as tables: scores in the layout of iMRMC, and every trial as it went."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_sr.errors import InputError
from monai_sr.io.atomic import atomic_file
from monai_sr.study.answers import Answer
from monai_sr.study.design import Design, comparisons
from monai_sr.study.key import Key

HEADER = ("readerID", "caseID", "modalityID", "score")
TRUTH_READER = -1
TRUTH_MODALITY = 0
ABSENT_CASES = 5
"""Made-up cases without signal, against which iMRMC's program for ROC data compares successes."""

ABSENT_SCORE = 0.5


@dataclass(frozen=True, order=True)
class Score:
    """One row as iMRMC has it; all numbers count from 1.

    Args:
        reader: number of the reader.
        case: number of the case.
        modality: number of the modality, of `modalities`.
        score: the rating; or 1 for what was preferred and 0 for the other.
    """

    reader: int
    case: int
    modality: int
    score: float


def modalities(key: Key) -> list[str]:
    """What iMRMC's modalities are, from number 1 on.

    Args:
        key: of the study.

    Returns:
        For ratings the conditions; for preference two for each pair, "A against B" and "B against A", whose
        difference is tested.
    """
    if key.design is Design.RATING:
        return list(key.conditions)
    pairs = [(key.conditions[a], key.conditions[b]) for a, b in comparisons(key.design, len(key.conditions))]
    return [f"{one} against {other}" for a, b in pairs for one, other in ((a, b), (b, a))]


def join_scores(key: Key, answers: Iterable[Answer]) -> list[Score]:
    """Scores of first answers; of repeated trials the first counts, since iMRMC takes one score of each.

    Args:
        key: of the study.
        answers: of all readers.

    Returns:
        Sorted by reader, case and modality.
    """
    asked = comparisons(key.design, len(key.conditions))
    found = []
    for answer in answers:
        trial = answer.trial
        if trial.repeat:
            continue
        number = asked.index(tuple(sorted(trial.shown)))
        if key.design is Design.RATING:
            found.append(Score(answer.reader, trial.case + 1, number + 1, answer.value))
            continue
        for place, condition in enumerate(asked[number]):
            is_preferred = float(answer.preferred == condition)
            found.append(Score(answer.reader, trial.case + 1, 2 * number + place + 1, is_preferred))
    return sorted(found)


def read_truth(key: Key, path: Path) -> dict[int, int]:
    """Which cases hold what readers look for.

    Args:
        key: of the study.
        path: CSV with the columns case (its name or number in the key) and truth (0 or 1).

    Returns:
        Case's number -> truth, of every case.

    Raises:
        InputError: if a case is missing, doubled or unknown, or all cases are alike.
    """
    numbers = {str(number): number for number in range(1, len(key.cases) + 1)}
    numbers |= {name: number for number, name in enumerate(key.cases, start=1)}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}): check the path") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path} cannot be read as a CSV file: save it as CSV in UTF-8") from None
    truth: dict[int, int] = {}
    for line, row in enumerate(rows, start=2):
        number, value = numbers.get((row.get("case") or "").strip()), (row.get("truth") or "").strip()
        if number is None or number in truth or value not in ("0", "1"):
            raise InputError(
                f"Line {line} of {path} is wrong: it needs the columns case, each once and as in the key, "
                "and truth, 0 or 1"
            )
        truth[number] = int(value)
    if len(truth) < len(key.cases):
        raise InputError(f"{path} has {len(truth)} of {len(key.cases)} cases: add the others")
    if len(set(truth.values())) < 2:
        raise InputError(f"{path} has cases of one truth only: iMRMC needs both 0 and 1")
    return truth


def write_scores(path: Path, found: Sequence[Score], truth: Mapping[int, int]) -> None:
    """Write the CSV that the R package iMRMC takes as its data frame.

    Args:
        path: file to write.
        found: the scores.
        truth: case's number -> truth; its rows come first, of reader -1. May be empty.

    Raises:
        MonaiSRError: if the disk refuses.
    """
    _write_csv(path, HEADER, [*_truth_rows(truth), *map(_row, found)])


def write_imrmc(path: Path, key: Key, found: Sequence[Score], truth: Mapping[int, int]) -> None:
    """Write the input file of the program iMRMC: a description, then rows without spaces.

    Preferences have no truth. As iMRMC's authors advise for successes, every case counts as one with signal
    and is compared with made-up ones whose scores are 0.5: the AUC is then the share of preference.

    Args:
        path: file to write.
        key: of the study.
        found: the scores.
        truth: case's number -> truth; empty for preference.

    Raises:
        InputError: if ratings come without truth, or preferences with it.
        MonaiSRError: if the disk refuses.
    """
    is_preference = key.design is Design.PREFERENCE
    if is_preference == bool(truth):
        raise InputError(
            "Preferences have no truth: leave --truth out"
            if truth
            else "iMRMC's program takes ratings only with the truth of each case: name it by --truth"
        )
    names = modalities(key)
    readers = sorted({score.reader for score in found})
    rows = list(found)
    if is_preference:
        n_cases = len(key.cases)
        absent = range(n_cases + 1, n_cases + ABSENT_CASES + 1)
        truth = dict.fromkeys(range(1, n_cases + 1), 1) | dict.fromkeys(absent, 0)
        rows += [
            Score(reader, case, modality, ABSENT_SCORE)
            for reader in readers
            for case in absent
            for modality in range(1, len(names) + 1)
        ]
    lines = [
        f"Reader study {key.study} by monai-sr {key.software}",
        *(f"Modality {number} is {name}" for number, name in enumerate(names, start=1)),
        *([f"Cases from {n_cases + 1} on are made up, as AUC of successes needs"] if is_preference else []),
        "",
        f"NR: {len(readers)}",
        f"N0: {sum(value == 0 for value in truth.values())}",
        f"N1: {sum(value == 1 for value in truth.values())}",
        f"NM: {len(names)}",
        "",
        "BEGIN DATA:",
        *(",".join(map(str, row)) for row in [*_truth_rows(truth), *map(_row, rows)]),
    ]
    with atomic_file(path) as file:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_trials(path: Path, key: Key, answers: Iterable[Answer]) -> None:
    """Write a CSV of every trial in the order in which it was answered, repeated ones too.

    Args:
        path: file to write.
        key: of the study.
        answers: of all readers.

    Raises:
        MonaiSRError: if the disk refuses.
    """
    sides = ("left", "right") if key.design is Design.PREFERENCE else ("condition",)
    header = ("reader", "trial", "case", *sides, "repeat", "answer", "milliseconds")
    rows = [
        (
            answer.reader,
            answer.number,
            answer.trial.case + 1,
            *(key.conditions[index] for index in answer.trial.shown),
            int(answer.trial.repeat),
            key.conditions[answer.preferred] if key.design is Design.PREFERENCE else answer.value,
            answer.milliseconds,
        )
        for answer in answers
    ]
    _write_csv(path, header, rows)


def _truth_rows(truth: Mapping[int, int]) -> list[tuple[object, ...]]:
    return [(TRUTH_READER, case, TRUTH_MODALITY, value) for case, value in sorted(truth.items())]


def _row(score: Score) -> tuple[object, ...]:
    return score.reader, score.case, score.modality, f"{score.score:g}"


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
