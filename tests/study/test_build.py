from __future__ import annotations

import json

import pydicom
import pytest

from monai_sr.errors import InputError
from monai_sr.sample import sample_series_dir
from monai_sr.study import Condition, Design, build_study, read_key
from tests.study.conftest import write_conditions


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes(conditions, tmp_path):
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        build_study(conditions, tmp_path / name, readers=2, repeat=0.5, seed=seed)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    assert sorted(one) == ["key.json", "reader_1.html", "reader_2.html"]
    other = contents(tmp_path / "other")
    assert all(one[name] != other[name] for name in one)


def test_more_readers_join_the_same_study(conditions, tmp_path):
    keys = [build_study(conditions, tmp_path / str(count), readers=count, seed=5) for count in (1, 3)]
    assert keys[0].study == keys[1].study
    assert contents(tmp_path / "1")["reader_1.html"] == contents(tmp_path / "3")["reader_1.html"]


def test_readers_have_orders_and_sides_of_their_own(tmp_path):
    conditions = write_conditions(tmp_path, ("one", "two"), [f"case{n}" for n in range(12)], (4, 4))
    key = build_study(conditions, tmp_path / "study", readers=3)
    trials = [reader.trials for reader in key.readers]
    assert len({tuple(trial.case for trial in one) for one in trials}) == 3
    assert len({tuple(trial.shown for trial in sorted(one, key=lambda t: t.case)) for one in trials}) == 3
    assert len({reader.token for reader in key.readers}) == 3
    # Without a seed, chance is new each time, and the key keeps it.
    again = build_study(conditions, tmp_path / "study", readers=3, overwrite=True)
    assert again.seed != key.seed
    assert again == read_key(tmp_path / "study")
    repeated = build_study(conditions, tmp_path / "repeated", readers=3, seed=again.seed)
    assert repeated == again


def test_a_patient_s_name_stays_in_the_files(tmp_path):
    for number, name in enumerate(("one", "two")):
        (tmp_path / name / "head").mkdir(parents=True)
        for file in sorted(sample_series_dir().iterdir())[:2]:
            dataset = pydicom.dcmread(file)
            dataset.PatientName, dataset.PatientID = "Doe^Jane", "secret-id"
            dataset.SeriesDescription = f"PLANTED {number}"
            dataset.save_as(tmp_path / name / "head" / file.name)
    conditions = [Condition(name, tmp_path / name) for name in ("one", "two")]
    build_study(conditions, tmp_path / "study", seed=0)
    for text in contents(tmp_path / "study").values():
        for secret in (b"Doe^Jane", b"secret-id", b"PLANTED", str(dataset.SOPInstanceUID).encode()):
            assert secret not in text
    assert json.loads(contents(tmp_path / "study")["key.json"])["cases"] == ["head"]


def test_unreadable_and_unequal_images_leave_nothing(tmp_path):
    conditions = write_conditions(tmp_path, ("one", "two"), ("first", "second"))
    good = (tmp_path / "two" / "second.png").read_bytes()
    (tmp_path / "two" / "second.png").write_bytes(good[:60])
    with pytest.raises(InputError, match=r"second\.png is not a readable PNG"):
        build_study(conditions, tmp_path / "study")
    write_conditions(tmp_path / "small", ("two",), ("second",), (8, 8))
    (tmp_path / "two" / "second.png").write_bytes((tmp_path / "small" / "two" / "second.png").read_bytes())
    with pytest.raises(InputError, match="second has 1 x 24 x 20"):
        build_study(conditions, tmp_path / "study")
    for file in sorted(sample_series_dir().iterdir())[:2]:
        for name in ("one", "two"):
            (tmp_path / name / "head").mkdir(exist_ok=True)
            (tmp_path / name / "head" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "two" / "second.png").write_bytes(good)
    (tmp_path / "two" / "head" / file.name).write_bytes(file.read_bytes()[:2000])
    with pytest.raises(InputError, match=file.name):
        build_study(conditions, tmp_path / "study", slices=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "small", "two"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"readers": 0}, "at least 1"),
        ({"slices": 0}, "at least 1"),
        ({"repeat": float("nan")}, "from 0 to 1"),
        ({"question": "Is EDSR_MRI better?"}, "names the condition edsr_mri"),
    ],
)
def test_what_cannot_be_built_is_refused(conditions, tmp_path, options, said):
    with pytest.raises(InputError, match=said):
        build_study(conditions, tmp_path / "study", **options)
    with pytest.raises(InputError, match="too few"):
        build_study(conditions[:1], tmp_path / "study")
    assert build_study(conditions[:1], tmp_path / "rated", design=Design.RATING).conditions == ("bicubic",)


def test_nothing_else_is_overwritten(conditions, tmp_path):
    out = tmp_path / "study"
    build_study(conditions, out, readers=2)
    with pytest.raises(InputError, match="--overwrite"):
        build_study(conditions, out)
    build_study(conditions, out, overwrite=True)
    assert sorted(contents(out)) == ["key.json", "reader_1.html"]
    (out / "answers.json").write_text("{}")
    with pytest.raises(InputError, match="not of an earlier output"):
        build_study(conditions, out, overwrite=True)
    with pytest.raises(InputError, match="lies in the input"):
        build_study(conditions, conditions[0].folder / "study")


def test_volumes_are_shown_by_evenly_chosen_slices(tmp_path):
    conditions = [Condition(name, sample_series_dir()) for name in ("one", "two")]
    told = []
    build_study(conditions, tmp_path / "study", slices=3, seed=0, on_case=lambda *state: told.append(state))
    page = (tmp_path / "study" / "reader_1.html").read_text()
    assert page.count('type="text/plain"') == 6
    assert told == [(1, 1)]
