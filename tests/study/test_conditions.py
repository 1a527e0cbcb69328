from __future__ import annotations

import shutil

import pydicom
import pytest
from PIL import Image

from monai_sr.errors import InputError
from monai_sr.sample import sample_series_dir
from monai_sr.study.conditions import Condition, match_cases, parse_condition
from tests.study.conftest import write_conditions


def test_a_condition_is_named_by_its_folder_or_by_its_user(tmp_path):
    folder = tmp_path / "a=b"
    folder.mkdir()
    assert parse_condition(f"edsr={folder}") == Condition("edsr", folder)
    (tmp_path / "plain").mkdir()
    assert parse_condition(str(tmp_path / "plain")).name == "plain"
    for text, said in (
        ("edsr=/nowhere", "not a folder"),
        ("a b=" + str(folder), "cannot name"),
        (str(folder), "cannot name"),
    ):
        with pytest.raises(InputError, match=said):
            parse_condition(text)


def test_series_volumes_and_pictures_are_cases(tmp_path):
    for name in ("one", "two"):
        shutil.copytree(sample_series_dir(), tmp_path / name / "head" / "series")
        (tmp_path / name / "head" / "report.jsonl").write_text("{}")
        Image.new("L", (4, 4)).save(
            tmp_path / name / ("b.png" if name == "one" else "b.TIFF"), "PNG" if name == "one" else "TIFF"
        )
    cases = match_cases([Condition(name, tmp_path / name) for name in ("one", "two")])
    assert [case.name for case in cases] == ["b", "head/series"]
    assert [read().array.shape for read in cases[1].reads] == [(12, 192, 160)] * 2


def test_radiographs_may_share_a_folder_and_series_may_not(tmp_path):
    files = sorted(sample_series_dir().iterdir())[:3]
    for number, file in enumerate(files):
        dataset = pydicom.dcmread(file)
        dataset.SeriesInstanceUID += f".{number}"
        dataset.save_as(tmp_path / f"view{number}.dcm")
    assert [case.name for case in match_cases([Condition("a", tmp_path)])] == ["view0", "view1", "view2"]
    dataset.InstanceNumber, dataset.SOPInstanceUID = 99, dataset.SOPInstanceUID + ".9"
    dataset.save_as(tmp_path / "view2b.dcm")
    with pytest.raises(InputError, match="folder of its own"):
        match_cases([Condition("a", tmp_path)])


def test_every_condition_has_every_case(tmp_path):
    conditions = write_conditions(tmp_path, ("one", "two"), ("first", "second"))
    (tmp_path / "two" / "second.png").rename(tmp_path / "two" / "other.png")
    with pytest.raises(InputError, match=r"one lacks other, which .*two has"):
        match_cases(conditions)
    with pytest.raises(InputError, match="Two conditions are called one"):
        match_cases([conditions[0], conditions[0]])
    shutil.copyfile(tmp_path / "one" / "first.png", tmp_path / "one" / "first.tif")
    with pytest.raises(InputError, match="twice"):
        match_cases(conditions)


def test_a_folder_without_readable_images_is_refused(tmp_path):
    with pytest.raises(InputError, match="no image"):
        match_cases([Condition("a", tmp_path)])
    (tmp_path / "slice.dcm").write_bytes(b"no DICOM at all")
    with pytest.raises(InputError, match="preamble"):
        match_cases([Condition("a", tmp_path)])
