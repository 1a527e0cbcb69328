"""From folders of images to the pages of a study and its key."""

from __future__ import annotations

import hashlib
import json
import random
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from monai_sr import __version__
from monai_sr.errors import InputError
from monai_sr.io.atomic import atomic_folder, check_destination
from monai_sr.study.conditions import Condition, match_cases
from monai_sr.study.design import Design, plan_trials
from monai_sr.study.images import EncodedCase, encode_case
from monai_sr.study.key import FILE, Key, Reader
from monai_sr.study.page import check_size, page_name, write_reader_page

QUESTIONS = {
    Design.PREFERENCE: "Which image would you rather read?",
    Design.RATING: "How good is this image for reading?",
}
"""What is asked where the investigator says nothing else."""

WRITTEN = r"key\.json|reader_\d+\.html"
"""Names of what a study consists of."""


def build_study(
    conditions: Sequence[Condition],
    out: Path,
    *,
    design: Design = Design.PREFERENCE,
    readers: int = 1,
    slices: int = 1,
    repeat: float = 0.0,
    question: str | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    on_case: Callable[[int, int], None] = lambda done, total: None,
) -> Key:
    """Write a page for each reader, and the key that tells what each trial shows.

    A page holds neither names of conditions, cases or patients, nor anything but pixels that differs between
    conditions. The same input and seed give the same bytes.

    Args:
        conditions: two or more for preference, one or more for rating.
        out: folder to write.
        design: what is asked.
        readers: how many, at least 1; each has an order of trials and sides of its own.
        slices: most slices of a case, evenly spaced, at least 1.
        repeat: share of the trials that each reader is asked twice, from 0 to 1.
        question: above the images; must not name a condition.
        seed: source of all chance; a new one by default, which the key keeps.
        overwrite: replace an earlier study.
        on_case: called with the number of cases read and of all.

    Returns:
        The key.

    Raises:
        InputError: if images cannot be read, do not match, or `out` cannot be used.
        MonaiSRError: if the disk refuses; nothing is left half-written.
    """
    if len(conditions) < (fewest := 2 if design is Design.PREFERENCE else 1):
        raise InputError(
            f"{len(conditions)} conditions are too few to compare: name {fewest} or more folders"
        )
    if readers < 1 or slices < 1 or not 0 <= repeat <= 1:
        raise InputError("readers and slices must be at least 1, and the repeated share from 0 to 1")
    for condition in conditions:
        check_destination(out, condition.folder, folder=True, overwrite=overwrite, written=WRITTEN)
    cases = match_cases(conditions)
    names = [condition.name for condition in conditions]
    question = question or QUESTIONS[design]
    if named := [name for name in names if name.lower() in question.lower().split()]:
        raise InputError(
            f"The question names the condition {named[0]}, which readers must not know: reword it"
        )
    encoded = []
    for number, case in enumerate(cases, start=1):
        encoded.append(encode_case(case, names, slices))
        on_case(number, len(cases))
    check_size(encoded)
    seed = secrets.randbits(63) if seed is None else seed
    # Whoever knows the seed but not the folders cannot deal the trials again.
    digest = _digest(design, names, question, encoded)
    planned = []
    for number in range(1, readers + 1):
        rng = random.Random(f"{seed}/{digest}/{number}")
        trials = plan_trials(design, len(cases), len(conditions), repeat, rng)
        planned.append(Reader(number, f"{rng.getrandbits(64):016x}", tuple(trials)))
    # The number of readers takes no part: with the same seed, more of them join the same study.
    study = hashlib.sha256(f"{seed}/{digest}/{repeat}".encode()).hexdigest()[:16]
    case_names = tuple(case.name for case in cases)
    key = Key(study, design, question, seed, tuple(names), case_names, tuple(planned), __version__)
    with atomic_folder(out) as folder:
        key.write(folder / FILE)
        for reader in planned:
            rng = random.Random(f"{seed}/{digest}/{reader.number}/images")
            write_reader_page(folder / page_name(reader.number), key, reader, encoded, rng)
    return key


def _digest(design: Design, names: Sequence[str], question: str, cases: Sequence[EncodedCase]) -> str:
    """SHA-256 of all that a study is made of."""
    digest = hashlib.sha256(json.dumps([design.value, list(names), question]).encode())
    for case in cases:
        for stack in case.slices:
            for shown in stack:
                digest.update(shown.block.encode())
    return digest.hexdigest()
