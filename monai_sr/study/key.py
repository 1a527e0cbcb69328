"""The key of a study, which alone tells what each trial showed; it stays with the investigator."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_sr.errors import InputError
from monai_sr.study.design import Design, Trial, comparisons

FILE = "key.json"
FORMAT = "monai-sr reader study, key 1"
LARGEST = 64 * 2**20
"""Most bytes of a key or of answers that are read."""


@dataclass(frozen=True)
class Reader:
    """What one reader is asked.

    Args:
        number: from 1.
        token: known to this reader's page alone.
        trials: in order.
    """

    number: int
    token: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Key:
    """A study unblinded.

    Args:
        study: its identifier.
        design: what is asked.
        question: in words.
        seed: source of all chance.
        conditions: their names.
        cases: their names; a case's number is its place here, from 1.
        readers: what each is asked.
        software: version of monai-sr that built it.
    """

    study: str
    design: Design
    question: str
    seed: int
    conditions: tuple[str, ...]
    cases: tuple[str, ...]
    readers: tuple[Reader, ...]
    software: str

    def write(self, path: Path) -> None:
        """Write the key as JSON, which names conditions and cases."""
        readers = [
            {
                "reader": reader.number,
                "token": reader.token,
                "trials": [
                    {
                        "case": trial.case + 1,
                        "shown": [self.conditions[index] for index in trial.shown],
                        "repeat": trial.repeat,
                    }
                    for trial in reader.trials
                ],
            }
            for reader in self.readers
        ]
        content = {
            "format": FORMAT,
            "study": self.study,
            "design": self.design.value,
            "question": self.question,
            "seed": self.seed,
            "software": self.software,
            "conditions": self.conditions,
            "cases": self.cases,
            "readers": readers,
        }
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_key(path: Path) -> Key:
    """Read the key of a study.

    Args:
        path: its file, or the study's folder.

    Returns:
        The key.

    Raises:
        InputError: if it is missing, or not as it was written.
    """
    path = path / FILE if path.is_dir() else path
    content = read_json(path)
    wrong = InputError(
        f"{path} is not the key of a reader study, or was changed: use {FILE} as it was written"
    )
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise wrong
    try:
        key = _parse(content)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise wrong from None
    if not _is_whole(key):
        raise wrong
    return key


def read_json(path: Path) -> Any:
    """What a small JSON file holds.

    Args:
        path: the file.

    Returns:
        Its content.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        if path.is_file() and path.stat().st_size > LARGEST:
            raise InputError(f"{path} is too large to be of a reader study: check the file")
        # A pipe would be waited for without end.
        text = path.read_text(encoding="utf-8") if path.is_file() else None
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}): check the file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not JSON: use the file as it was saved") from None
    if text is None:
        raise InputError(f"{path} is not a file: check the path")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON: use the file as it was saved") from None


def _parse(content: dict[str, Any]) -> Key:
    conditions, cases = _names(content["conditions"]), _names(content["cases"])
    readers = []
    for reader in content["readers"]:
        trials = tuple(
            Trial(
                int(trial["case"]) - 1,
                tuple(conditions.index(name) for name in trial["shown"]),
                bool(trial["repeat"]),
            )
            for trial in reader["trials"]
        )
        readers.append(Reader(int(reader["reader"]), str(reader["token"]), trials))
    return Key(
        str(content["study"]),
        Design(content["design"]),
        str(content["question"]),
        int(content["seed"]),
        conditions,
        cases,
        tuple(readers),
        str(content["software"]),
    )


def _names(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def _is_whole(key: Key) -> bool:
    """Whether every reader is asked each question of each case once, and nothing else again."""
    asked = comparisons(key.design, len(key.conditions))
    wanted = [(case, shown) for case in range(len(key.cases)) for shown in asked]

    def questions(reader: Reader, repeat: bool) -> list[tuple[int, tuple[int, ...]]]:
        trials = (trial for trial in reader.trials if trial.repeat is repeat)
        return sorted((trial.case, tuple(sorted(trial.shown))) for trial in trials)

    return [reader.number for reader in key.readers] == list(range(1, len(key.readers) + 1)) and all(
        questions(reader, False) == wanted and set(questions(reader, True)) <= set(wanted)
        for reader in key.readers
    )
