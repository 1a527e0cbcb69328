"""The page of one reader, which holds the images and tells of none what it is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2

from monai_sr.errors import InputError
from monai_sr.report import inline
from monai_sr.study.answers import FORMAT
from monai_sr.study.design import Design
from monai_sr.study.images import EncodedCase
from monai_sr.study.key import Key, Reader

MAX_BYTES = 256 * 2**20
"""Largest size of the images in a page, as text."""

RATINGS = ("bad", "poor", "fair", "good", "excellent")
"""The five grades of ITU-R BT.500, from 1."""

_ASSETS = Path(__file__).parent / "assets"
_SCRIPTS = ("decode", "window", "view", "hand")
"""The report's, which are used here as they are."""


def check_size(cases: Sequence[EncodedCase]) -> None:
    """Refuse images that no browser would open in one page.

    Args:
        cases: all of the study.

    Raises:
        InputError: with the remedy.
    """
    size = sum(len(shown.block) for case in cases for stack in case.slices for shown in stack)
    if size > MAX_BYTES:
        raise InputError(
            f"The images make {size / 2**20:.0f} MB and a page holds {MAX_BYTES / 2**20:.0f}: take fewer "
            "slices or cases, or crop the images"
        )


def page_name(reader: int) -> str:
    """File name of a reader's page."""
    return f"reader_{reader}.html"


def write_reader_page(
    path: Path, key: Key, reader: Reader, cases: Sequence[EncodedCase], rng: random.Random
) -> None:
    """Write the page of one reader.

    Args:
        path: file to write.
        key: of the study; of it, the page gets identifier, design and question alone.
        reader: whose page.
        cases: the images.
        rng: source of chance, which nothing in the page tells.
    """
    # Images are numbered by chance, for each reader anew, so that no order tells a condition.
    places = [
        (case, condition, page)
        for case, encoded in enumerate(cases)
        for condition, stack in enumerate(encoded.slices)
        for page in range(len(stack))
    ]
    rng.shuffle(places)
    numbers = {place: number for number, place in enumerate(places)}
    shown = [cases[case].slices[condition][page] for case, condition, page in places]
    trials = [
        {
            "shown": [
                [
                    numbers[trial.case, condition, page]
                    for page in range(len(cases[trial.case].slices[condition]))
                ]
                for condition in trial.shown
            ],
            "windows": cases[trial.case].windows,
            "inverted": cases[trial.case].inverted,
        }
        for trial in reader.trials
    ]
    content = {
        "format": FORMAT,
        "study": key.study,
        "reader": reader.number,
        "token": reader.token,
        "answers": [key.design.answers.start, key.design.answers.stop - 1],
        "slices": [item.facts for item in shown],
        "trials": trials,
    }
    is_preference = key.design is Design.PREFERENCE
    stream = _template().stream(
        title="Reader study",
        question=key.question,
        reader=reader.number,
        n_trials=len(trials),
        names={"left": "Left image", "right": "Right image"} if is_preference else {"only": "Image"},
        choices=("Left", "Right") if is_preference else RATINGS,
        has_pages=max(len(case.slices[0]) for case in cases) > 1,
        content=content,
        blocks=[item.block for item in shown],
        style=_style(),
        style_hash=inline.content_hash(_style()),
        script=_script(),
        script_hash=inline.content_hash(_script()),
    )
    stream.dump(str(path), encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    return inline.template("study.html.j2", _ASSETS)


@cache
def _style() -> str:
    return inline.style(inline.ASSETS / "report.css", _ASSETS / "study.css")


@cache
def _script() -> str:
    return inline.script([*(inline.ASSETS / f"{name}.js" for name in _SCRIPTS), _ASSETS / "study.js"])
