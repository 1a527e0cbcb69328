from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from monai_sr.errors import InputError
from monai_sr.splitting import PARTS, _assign, check_datalist, datalist_json, split_dataset


def make_files(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def make_dicom(path, patient_id, transfer_syntax=ExplicitVRLittleEndian):
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, generate_uid()
    dataset.PatientID = patient_id
    dataset.PixelData = np.zeros(4, np.uint16).tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)


def patients(datalist):
    return {part: {item["patient"] for item in items} for part, items in datalist.items()}


def labels(datalist):
    return sorted(item["label"] for items in datalist.values() for item in items)


def all_patients(datalist):
    return sorted(set().union(*patients(datalist).values()))


@given(
    count=st.integers(3, 200),
    held_out=st.tuples(st.floats(0, 0.45), st.floats(0, 0.45)),
    seed=st.integers(0, 2**32),
)
def test_every_patient_gets_one_part_and_every_share_a_patient(count, held_out, seed):
    names = {f"p{index}" for index in range(count)}
    fractions = (1 - sum(held_out), *held_out)
    part_of = _assign(names, fractions, seed)
    assert part_of.keys() == names
    for part, fraction in zip(PARTS, fractions, strict=True):
        size = list(part_of.values()).count(part)
        assert (size > 0) == (fraction > 0)
        assert abs(size - fraction * count) <= 2
    assert part_of == _assign(names, fractions, seed)


def test_another_seed_gives_another_split():
    names = {f"p{index}" for index in range(40)}
    assert _assign(names, (0.5, 0.25, 0.25), 0) != _assign(names, (0.5, 0.25, 0.25), 1)


def test_a_share_is_of_the_patients(tmp_path):
    make_files(
        tmp_path, *(f"p{index}/scan{scan}.nii.gz" for index in range(20) for scan in range(index % 3 + 1))
    )
    datalist = split_dataset(tmp_path, (0.7, 0.2, 0.1))
    assert {part: len(names) for part, names in patients(datalist).items()} == {
        "training": 14,
        "validation": 4,
        "test": 2,
    }
    assert len(labels(datalist)) == len(set(labels(datalist))) == 39


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ("sub-01/anat/sub-01_T1w.nii.gz", "sub-02_T1w.nii", "x/sub-03/a.nii"),
            ["sub-01", "sub-02", "sub-03"],
        ),
        (("anna/a.png", "anna/b.png", "bob/deep/a.tif", "carl/a.tiff"), ["anna", "bob", "carl"]),
        (("a.nii.gz", "b.NII", "c.d.png"), ["a", "b", "c.d"]),
    ],
)
def test_the_patient_is_read_from_the_path(tmp_path, names, expected):
    datalist = split_dataset(make_files(tmp_path, *names))
    assert all_patients(datalist) == expected
    assert labels(datalist) == sorted(names)


def test_the_pattern_names_the_patient(tmp_path):
    make_files(
        tmp_path, *(f"{contrast}/case{number}.nii.gz" for contrast in ("t1", "t2") for number in range(4))
    )
    datalist = split_dataset(tmp_path, patient_pattern=r"case(\d+)")
    assert all_patients(datalist) == ["0", "1", "2", "3"]
    assert all_patients(split_dataset(tmp_path, patient_pattern=r"case\d")) == [f"case{n}" for n in range(4)]


def test_hidden_entries_and_other_files_are_left_out(tmp_path):
    make_files(tmp_path, ".cache/a.nii.gz", ".b.nii.gz", "README.md", "p1.nii", "p2.nii", "p3.nii")
    assert labels(split_dataset(tmp_path)) == ["p1.nii", "p2.nii", "p3.nii"]


def test_a_dicom_folder_is_one_image_of_a_hashed_patient(tmp_path):
    for number, identifier in enumerate(["SECRET1", "SECRET1 ", "SECRET2", "SECRET3"]):
        make_dicom(tmp_path / f"series{number}" / "1.dcm", identifier)
        make_dicom(tmp_path / f"series{number}" / "no_suffix", identifier)
    datalist = split_dataset(tmp_path)
    assert labels(datalist) == [f"series{number}" for number in range(4)]
    assert len(all_patients(datalist)) == 3
    assert all(re.fullmatch("dicom-[0-9a-f]{16}", patient) for patient in all_patients(datalist))
    assert "SECRET" not in json.dumps(datalist)


def test_an_unusable_dicom_header_is_refused_without_its_values(tmp_path):
    make_dicom(tmp_path / "mixed" / "1.dcm", "SECRET1")
    make_dicom(tmp_path / "mixed" / "2.dcm", "SECRET2")
    make_dicom(tmp_path / "nameless" / "1.dcm", "")
    make_dicom(tmp_path / "deflated" / "1.dcm", "SECRET1", DeflatedExplicitVRLittleEndian)
    nested = b"\x08\x00\x15\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    make_dicom(tmp_path / "nested" / "1.dcm", "SECRET1")
    whole = (tmp_path / "nested" / "1.dcm").read_bytes()
    patient_id = whole.index(b"\x10\x00\x20\x00LO")
    (tmp_path / "nested" / "1.dcm").write_bytes(whole[:patient_id] + nested * 3000)
    make_dicom(tmp_path / "truncated" / "1.dcm", "SECRET1")
    os.truncate(tmp_path / "truncated" / "1.dcm", patient_id)
    for folder, reason in [
        ("mixed", "several patients"),
        ("nameless", "no PatientID"),
        ("deflated", "no readable DICOM header"),
        ("nested", "no readable DICOM header"),
        ("truncated", "no PatientID"),
    ]:
        with pytest.raises(InputError, match=reason) as caught:
            split_dataset(tmp_path / folder)
        assert "SECRET" not in str(caught.value)


def test_the_manifest_gives_patients_and_parts(tmp_path):
    root = make_files(tmp_path / "mri", "a.nii", "b.nii", "c.nii", "unlisted.nii")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "path,subject_id,split\nmri/a.nii,1,train\nmri/b.nii,2,val\nmri/c.nii,3,Test\nother/x.nii,9,nonsense\n"
    )
    assert split_dataset(root, manifest=manifest) == {
        "training": [{"label": "a.nii", "patient": "1"}],
        "validation": [{"label": "b.nii", "patient": "2"}],
        "test": [{"label": "c.nii", "patient": "3"}],
    }


def test_a_manifest_without_split_is_split_by_its_patients(tmp_path):
    make_files(tmp_path, *(f"{index}.nii" for index in range(6)))
    manifest = tmp_path / "m.csv"
    manifest.write_text("path,patient\n" + "".join(f"{index}.nii,p{index // 2}\n" for index in range(6)))
    datalist = split_dataset(tmp_path, manifest=manifest)
    assert [len(datalist[part]) for part in PARTS] == [2, 2, 2]
    assert all_patients(datalist) == ["p0", "p1", "p2"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,split\na.nii,train\n", "needs the columns"),
        ("path,patient\nmissing.nii,1\n", "line 2 .* does not exist"),
        ("path,patient\na.nii,\n", "line 2 .* has no patient"),
        ("path,patient,split\na.nii,1,dev\n", "split 'dev'"),
        (
            "path,patient,split\na.nii,1,train\nb.nii,1,test\n",
            r"a\.nii in training and b\.nii in test",
        ),
        ("path,patient\n../a.nii,1\n", "no row of .* names an image below"),
        ("path,patient\n", "no row of .* names an image below"),
    ],
)
def test_an_unusable_manifest_is_refused(tmp_path, text, reason):
    root = make_files(tmp_path / "root", "a.nii", "b.nii")
    manifest = root / "m.csv"
    manifest.write_text(text)
    with pytest.raises(InputError, match=reason):
        split_dataset(root, manifest=manifest)


def test_an_unreadable_manifest_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"missing\.csv does not exist: check the path") as caught:
        split_dataset(tmp_path, manifest=tmp_path / "missing.csv")
    assert "Errno" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be opened"):
        split_dataset(tmp_path, manifest=tmp_path)
    (tmp_path / "m.csv").write_bytes(b"path,patient\n\xff\xfe,1\n")
    with pytest.raises(InputError, match="cannot be read as a CSV"):
        split_dataset(tmp_path, manifest=tmp_path / "m.csv")


def test_a_manifest_elsewhere_may_name_paths_below_the_dataset(tmp_path):
    root = make_files(tmp_path / "root", *(f"deep/{index}.nii" for index in range(3)))
    manifest = tmp_path / "lists" / "m.csv"
    manifest.parent.mkdir()
    manifest.write_text("path,patient\n" + "".join(f"deep/{index}.nii,p{index}\n" for index in range(3)))
    datalist = split_dataset(root, manifest=manifest)
    assert labels(datalist) == ["deep/0.nii", "deep/1.nii", "deep/2.nii"]
    assert all_patients(datalist) == ["p0", "p1", "p2"]


@pytest.mark.parametrize(
    ("names", "pattern", "said"),
    [
        (["T1/a.nii", "T2/a.nii", "PD/a.nii"], None, "patients told by the first folder below"),
        (["a.nii", "b.nii", "c.nii"], None, "patients told by the file name; use --patient-pattern"),
        (["sub-1/a.nii", "sub-2/a.nii", "sub-3/a.nii"], None, None),
        (["T1/a.nii", "T1/b.nii", "T1/c.nii"], r"T1/(.)", None),
    ],
)
def test_a_guess_of_who_is_who_is_said(tmp_path, caplog, names, pattern, said):
    split_dataset(make_files(tmp_path, *names), patient_pattern=pattern)
    if said is None:
        assert not caplog.messages
    else:
        assert said in caplog.text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"fractions": (0.5, 0.2, 0.2)}, "sum to 1"),
        ({"fractions": (1.2, -0.1, -0.1)}, "0 or more"),
        ({"fractions": (0.0, 0.5, 0.5)}, "leave some for training"),
        ({"fractions": (float("nan"), 0.5, 0.5)}, "sum to 1"),
        ({"fractions": (0.5, 0.5, float("nan"))}, "sum to 1"),
        ({"patient_pattern": "a", "manifest": "m.csv"}, "exclude each other"),
        ({"patient_pattern": "("}, "not a regular expression"),
        ({"patient_pattern": "case"}, "does not match"),
        ({"fractions": (0.7, 0.15, 0.15)}, "2 patient"),
    ],
)
def test_an_unusable_request_is_refused(tmp_path, arguments, reason):
    make_files(tmp_path, "a.nii", "b.nii")
    with pytest.raises(InputError, match=reason):
        split_dataset(tmp_path, **arguments)


def test_two_patients_fill_two_parts(tmp_path):
    make_files(tmp_path, "a.nii", "b.nii")
    datalist = split_dataset(tmp_path, (0.1, 0.9, 0.0))
    assert [len(datalist[part]) for part in PARTS] == [1, 1, 0]


def test_folders_named_as_parts_are_not_patients(tmp_path):
    root = make_files(tmp_path, "train/a.png", "train/b.png", "Val/c.png", "test/d.png")
    with pytest.raises(InputError, match=r"named as parts.*--patient-pattern, or by --manifest"):
        split_dataset(root)
    assert all_patients(split_dataset(root, patient_pattern="([a-d]).png")) == ["a", "b", "c", "d"]


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        split_dataset(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        split_dataset(tmp_path / "missing")


@pytest.mark.parametrize(
    ("datalist", "reason"),
    [
        ({}, "no item"),
        ({"training": [], "name": "x"}, "no item"),
        ({"training": [{"label": "a"}]}, "item 0 of training has no 'patient'"),
        ({"test": [{"patient": "1"}]}, "item 0 of test has no 'label'"),
        (
            {"training": [{"label": "a", "patient": "1"}], "validation": [{"label": "b", "patient": "1"}]},
            "a in training and b in validation are of one patient",
        ),
        (
            {"training": [{"label": "a", "patient": "1"}], "test": [{"label": "a", "patient": "2"}]},
            "file 'a' is in training and in test",
        ),
    ],
)
def test_a_leaking_or_incomplete_datalist_is_refused(datalist, reason):
    with pytest.raises(InputError, match=reason):
        check_datalist(datalist)


@pytest.mark.parametrize("target", ["dataset/datalist.json", "elsewhere/deep/datalist.json"])
def test_written_labels_are_relative_to_the_file(tmp_path, target):
    root = make_files(tmp_path / "dataset", "p1/a.nii", "p2/a.nii", "p3/a.nii")
    path = tmp_path / target
    written = json.loads(datalist_json(split_dataset(root), root, path.parent))
    files = {(path.parent / label).resolve() for label in labels(written)}
    assert files == {Path(root, name, "a.nii").resolve() for name in ("p1", "p2", "p3")}


@pytest.mark.data
def test_real_data_splits_by_its_manifest(data_dir):
    datalist = split_dataset(data_dir / "mri", manifest=data_dir / "MANIFEST.csv")
    assert {part: len(items) for part, items in datalist.items()} == {
        "training": 10,
        "validation": 2,
        "test": 5,
    }
