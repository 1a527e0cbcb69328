from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from monai_sr.study import Design, build_study, parse_condition
from tests.study.study_page import saved

CASES = ("Doe_Jane_1", "Doe_Jane_2", "Doe_Jane_3", "Doe_Jane_4")
"""Names as they should not be, but are: none may reach a page."""


def write_conditions(root, names, cases=CASES, shape=(24, 20), seed=0):
    """Pictures whose condition tells by their least values alone: the first condition's is 0, and so on."""
    rng = np.random.default_rng(seed)
    for case in cases:
        base = rng.integers(500, 60_000, shape).astype(np.uint16)
        for number, name in enumerate(names):
            (root / name).mkdir(parents=True, exist_ok=True)
            base[0, 0] = number
            Image.fromarray(base).save(root / name / f"{case}.png")
    return [parse_condition(str(root / name)) for name in names]


@pytest.fixture(scope="session")
def conditions(tmp_path_factory):
    return write_conditions(tmp_path_factory.mktemp("conditions"), ("bicubic", "edsr_mri"))


@pytest.fixture(scope="session")
def three(tmp_path_factory):
    return write_conditions(tmp_path_factory.mktemp("three"), ("bicubic", "edsr_mri", "srgan_mri"))


@pytest.fixture(scope="session")
def preference(conditions, tmp_path_factory):
    """A study of two readers, and its key."""
    out = tmp_path_factory.mktemp("preference") / "study"
    return out, build_study(conditions, out, readers=2, repeat=0.5, seed=3)


@pytest.fixture(scope="session")
def rating(three, tmp_path_factory):
    out = tmp_path_factory.mktemp("rating") / "study"
    return out, build_study(three, out, design=Design.RATING, readers=2, repeat=0.25, seed=4)


@pytest.fixture
def write_answers(tmp_path):
    """Function that writes a reader's answers as the page does."""

    def write(key, reader, value_of, name=None):
        path = tmp_path / (name or f"answers_{reader}.json")
        path.write_text(saved(key, reader, value_of))
        return path

    return write
