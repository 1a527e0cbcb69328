"""What readers answered, checked against the key."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_sr.errors import InputError
from monai_sr.study.design import Trial
from monai_sr.study.key import Key, Reader, read_json

FORMAT = "monai-sr reader study, answers 1"


@dataclass(frozen=True)
class Answer:
    """One answer, unblinded.

    Args:
        reader: number of the reader.
        number: of the trial, from 1.
        trial: what was shown.
        value: 1 for the left image and 2 for the right, or the rating.
        milliseconds: from the image's first sight to the answer.
    """

    reader: int
    number: int
    trial: Trial
    value: int
    milliseconds: int

    @property
    def preferred(self) -> int:
        """Index of the condition that was preferred, of two."""
        return self.trial.shown[self.value - 1]


def read_answers(key: Key, paths: Sequence[Path]) -> dict[int, list[Answer]]:
    """Read and check answers.

    Args:
        key: of the study.
        paths: files that the pages saved, one for each reader; a reader without one is left out.

    Returns:
        Reader's number -> answers to all trials in order, sorted by reader.

    Raises:
        InputError: if a file is of another study, was changed, is not complete, or two are of one reader.
    """
    if not paths:
        raise InputError("No answers are named: name the files that the readers saved")
    found: dict[int, list[Answer]] = {}
    files: dict[int, Path] = {}
    for path in paths:
        reader, answers = _read_file(key, path)
        if (first := files.setdefault(reader.number, path)) != path or reader.number in found:
            raise InputError(f"{first} and {path} are both of reader {reader.number}: leave one of them out")
        found[reader.number] = answers
    return dict(sorted(found.items()))


def seal(token: str, study: str, reader: int, answers: Sequence[tuple[int, int, int]]) -> str:
    """Checksum by which a later change of saved answers is found; the page computes the same.

    It is no secret: it finds an edit by hand, not one by somebody who studies the page's script.

    Args:
        token: of the reader's page.
        study: identifier of the study.
        reader: number of the reader.
        answers: trial, answer and milliseconds of each.

    Returns:
        CRC-32 as eight hexadecimal digits.

    Example:
        >>> seal("ab", "cd", 1, [(1, 2, 1500)])
        'd8bc68d3'
    """
    listed = ",".join(f"{trial}:{value}:{milliseconds}" for trial, value, milliseconds in answers)
    return f"{zlib.crc32(f'{token}|{study}|{reader}|{listed}'.encode()):08x}"


def _read_file(key: Key, path: Path) -> tuple[Reader, list[Answer]]:
    content = read_json(path)
    changed = InputError(
        f"{path} was changed after it was saved: ask the reader for the file as the page saved it"
    )
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} holds no answers to a reader study: name a file that a page saved")
    if content.get("study") != key.study:
        raise InputError(f"{path} holds answers to another study: name those to this one")
    reader = next((reader for reader in key.readers if reader.number == content.get("reader")), None)
    listed = content.get("answers")
    if reader is None or not isinstance(listed, list):
        raise changed
    answers = [_triple(item) for item in listed]
    given = [answer for answer in answers if answer is not None]
    if len(given) < len(answers) or content.get("seal") != seal(
        reader.token, key.study, reader.number, given
    ):
        raise changed
    numbers = [number for number, _, _ in given]
    in_order = numbers == list(range(1, len(numbers) + 1)) and len(numbers) <= len(reader.trials)
    if not in_order or any(value not in key.design.answers for _, value, _ in given):
        raise changed
    if len(given) < len(reader.trials):
        raise InputError(
            f"{path} answers {len(given)} of {len(reader.trials)} trials: let the reader load it into the "
            "page and go on, or leave the file out"
        )
    return reader, [
        Answer(reader.number, number, reader.trials[number - 1], value, milliseconds)
        for number, value, milliseconds in given
    ]


def _triple(item: Any) -> tuple[int, int, int] | None:
    """Trial, answer and milliseconds, or None of what is none."""
    if not isinstance(item, dict):
        return None
    # True is an integer to Python, but no number of a trial.
    values = [item.get(name) for name in ("trial", "answer", "milliseconds")]
    trial, answer, milliseconds = (value if type(value) is int and value >= 0 else -1 for value in values)
    return None if -1 in (trial, answer, milliseconds) else (trial, answer, milliseconds)
