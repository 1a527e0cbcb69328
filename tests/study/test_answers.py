from __future__ import annotations

import json

import pytest

from monai_sr.errors import InputError
from monai_sr.study import read_answers


def left(trial):
    return 1


def test_answers_are_joined_with_the_key(preference, write_answers):
    key = preference[1]
    # Whoever prefers condition 1 answers by its side.
    files = [write_answers(key, reader, lambda trial: 1 + trial.shown.index(1)) for reader in (2, 1)]
    found = read_answers(key, files)
    assert list(found) == [1, 2]
    for answers in found.values():
        assert [answer.preferred for answer in answers] == [1] * 6
        assert [answer.milliseconds for answer in answers] == [1000, 2000, 3000, 4000, 5000, 6000]


def test_one_reader_answers_once(preference, write_answers):
    key = preference[1]
    one, two = (write_answers(key, 1, left, name) for name in ("a.json", "b.json"))
    for files in ([one, two], [one, one]):
        with pytest.raises(InputError, match="both of reader 1"):
            read_answers(key, files)
    with pytest.raises(InputError, match="No answers"):
        read_answers(key, [])


def edit(content, **changes):
    return json.dumps(json.loads(content) | changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace('"answer": 1', '"answer": 2', 1), "was changed"),
        (lambda text: text.replace('"milliseconds": 1000', '"milliseconds": 900'), "was changed"),
        (lambda text: edit(text, reader=2), "was changed"),
        (lambda text: edit(text, reader=9), "was changed"),
        (lambda text: edit(text, reader=[]), "was changed"),
        (lambda text: edit(text, seal=None), "was changed"),
        (lambda text: edit(text, answers=None), "was changed"),
        (lambda text: edit(text, answers=[{"trial": True, "answer": 1, "milliseconds": 3}]), "was changed"),
        (lambda text: edit(text, answers=[1]), "was changed"),
        (lambda text: edit(text, study="0" * 16), "another study"),
        (lambda text: edit(text, format="else"), "no answers"),
        (lambda text: "[]", "no answers"),
        (lambda text: text[:-5], "not JSON"),
        (lambda text: "[" * 100_000, "not JSON"),
    ],
)
def test_what_was_changed_is_refused(preference, write_answers, change, said):
    file = write_answers(preference[1], 1, left)
    file.write_text(change(file.read_text()))
    with pytest.raises(InputError, match=said):
        read_answers(preference[1], [file])


def test_answers_that_no_page_could_save_are_refused(preference, rating, write_answers):
    with pytest.raises(InputError, match="was changed"):
        read_answers(preference[1], [write_answers(preference[1], 1, lambda trial: 3)])
    with pytest.raises(InputError, match="was changed"):
        read_answers(rating[1], [write_answers(rating[1], 1, lambda trial: 0)])


def test_unfinished_answers_are_refused_with_the_remedy(preference, tmp_path, write_answers):
    key = preference[1]
    file = write_answers(key, 1, left)
    from monai_sr.study.answers import seal

    content = json.loads(file.read_text())
    content["answers"] = content["answers"][:2]
    content["seal"] = seal(key.readers[0].token, key.study, 1, [(1, 1, 1000), (2, 1, 2000)])
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="answers 2 of 6 trials: let the reader load it"):
        read_answers(key, [file])


def test_what_is_no_file_is_refused(preference, tmp_path):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for path, said in (
        (tmp_path, "not a file"),
        (tmp_path / "none.json", "not a file"),
        (tmp_path / "binary.json", "not JSON"),
    ):
        with pytest.raises(InputError, match=said):
            read_answers(preference[1], [path])
