from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_sr.data import load_part, patient_weights
from monai_sr.errors import InputError
from monai_sr.sample import sample_dataset_dir


@pytest.fixture
def write(tmp_path):
    """Function that writes a datalist and the files that it names, and returns its path."""

    def write(content, files=()):
        path = tmp_path / "lists" / "datalist.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        for name in files:
            (path.parent / name).parent.mkdir(parents=True, exist_ok=True)
            (path.parent / name).touch()
        return path

    return write


def test_paths_start_from_the_datalist_s_folder(write, tmp_path, monkeypatch):
    elsewhere = tmp_path / "c.nii"
    elsewhere.touch()
    path = write(
        {
            "training": [
                {"label": "a/1.nii", "patient": "A", "site": "x"},
                {"label": "../c.nii", "patient": "B"},
            ],
            "test": [{"label": str(elsewhere), "patient": "C"}],
            "description": "other keys are ignored",
        },
        ["a/1.nii"],
    )
    first, second = load_part(path, "training")
    assert first == {"label": str(path.parent / "a/1.nii"), "patient": "A", "site": "x"}
    assert Path(second["label"]).samefile(elsewhere)
    assert load_part(str(path), "test") == [{"label": str(elsewhere), "patient": "C"}]
    monkeypatch.chdir(path.parent)
    assert Path(load_part("datalist.json", "training")[0]["label"]).exists()


@pytest.mark.parametrize("part", ["training", "validation", "test"])
def test_the_embedded_sample_has_every_part(part):
    items = load_part(sample_dataset_dir() / "datalist.json", part)
    assert items
    assert all(Path(item["label"]).is_file() for item in items)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not a datalist in JSON"),
        ("[]", "is not a datalist"),
        ({"training": []}, "no images in its part training"),
        ({"test": [{"label": "a", "patient": "A"}]}, "no images in its part training"),
        ({"training": ["a.nii"]}, "is not a datalist"),
        ({"training": {"label": "a.nii", "patient": "A"}}, "is not a datalist"),
        (
            {"training": [{"label": "a.nii"}]},
            r"item 0 of training has no 'patient': .*datalist\.json",
        ),
        ({"training": [{"patient": "A"}]}, "item 0 of training has no 'label'"),
        ({"training": [{"label": "gone.nii", "patient": "A"}]}, r"gone\.nii.*does not exist"),
    ],
)
def test_a_datalist_that_does_not_serve_is_refused(write, content, reason):
    with pytest.raises(InputError, match=reason):
        load_part(write(content), "training")


def test_a_missing_datalist_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"missing\.json does not exist: .*split"):
        load_part(tmp_path / "missing.json", "training")


def test_a_patient_in_two_parts_is_refused_whichever_part_is_read(write):
    path = write(
        {
            "training": [{"label": "a.nii", "patient": "A"}],
            "validation": [{"label": "b.nii", "patient": "B"}],
            "test": [{"label": "c.nii", "patient": "A"}],
        },
        ["a.nii", "b.nii", "c.nii"],
    )
    for part in ("training", "validation", "test"):
        with pytest.raises(InputError, match=r"a\.nii in training and c\.nii in test .*datalist\.json"):
            load_part(path, part)


def test_an_unknown_part_names_those_that_there_are(write):
    path = write({"training": [{"label": "a.nii", "patient": "A"}]}, ["a.nii"])
    with pytest.raises(InputError, match="no part foo: use one of training, validation, test"):
        load_part(path, "foo")


def test_every_patient_weighs_the_same():
    items = [{"patient": patient} for patient in "abbccc"]
    weights = patient_weights(items)
    for patient in "abc":
        own = [weight for weight, item in zip(weights, items, strict=True) if item["patient"] == patient]
        assert sum(own) == pytest.approx(1)
