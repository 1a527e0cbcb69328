from __future__ import annotations

import sys

import nibabel as nib
import numpy as np
import pytest

from monai_sr.evaluate import EvaluationItem
from monai_sr.io import read_volume
from scripts import release_gate
from scripts.release_checks import Check
from scripts.release_gate import crop, gate, main, read_test_part


@pytest.fixture
def data(tmp_path):
    """A folder with files of four patients, three of them in the test part."""
    folder = tmp_path / "data"
    (folder / "mri").mkdir(parents=True)
    lines = ["path,patient,split"]
    for seed, name in enumerate(("a", "b", "b2", "c", "d")):
        voxels = np.random.default_rng(seed).integers(0, 4096, (40, 30, 7)).astype(np.int16)
        nib.save(nib.Nifti1Image(voxels, np.diag([1, 1, 3, 1])), folder / "mri" / f"{name}.nii")
        lines.append(f"mri/{name}.nii,{name[0]},{'train' if name == 'a' else 'test'}")
    (folder / "MANIFEST.csv").write_text("\n".join(lines) + "\n")
    return folder


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["release_gate", *map(str, arguments)])
    return main()


def test_evenly_spaced_patients_of_the_test_part_are_taken(data):
    def names(*most):
        return [item.path.name for item in read_test_part(data, "mri", *most)]

    assert names(None, None) == ["b.nii", "b2.nii", "c.nii", "d.nii"]
    assert names(2, 1) == ["b.nii", "d.nii"]
    assert names(1, None) == ["c.nii"]


def test_the_middle_of_evenly_spaced_slices_is_kept(data, tmp_path):
    items = read_test_part(data, "mri", 1, 1)
    whole = read_volume(items[0].path).array
    (middle,) = crop(items, tmp_path / "few", 20, 2)
    assert middle.patient == "c"
    assert np.array_equal(read_volume(middle.path).array, whole[[1, 5], 10:30, 5:25])
    (same,) = crop(items, tmp_path / "all", None, None)
    assert np.array_equal(read_volume(same.path).array, whole)
    (one,) = crop(items, tmp_path / "one", 36, 1)
    assert np.array_equal(read_volume(one.path).array, whole[3:4, 2:38])


def test_a_bundle_without_weights_fails():
    (check,) = gate("edsr_mri", 8, [EvaluationItem("none.nii", "b")])
    assert not check.holds
    assert "no weights for scale factor 8" in check.what


@pytest.mark.parametrize("is_kept", [True, False])
def test_one_failing_check_is_an_exit_code(monkeypatch, capsys, data, is_kept):
    checks = [Check("one", "1", "<= 2", True), Check("another", "3", "<= 4", is_kept)]
    monkeypatch.setattr(release_gate, "_run", lambda jobs, sets, workers: [checks for _ in jobs])
    assert run(monkeypatch, "edsr_mri", "--data", data, "--scales", "2") == (0 if is_kept else 1)
    told = "holds" if is_kept else "**FAILS**"
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == [
        "| edsr_mri | 2 | one | 1 | <= 2 | holds |",
        f"| edsr_mri | 2 | another | 3 | <= 4 | {told} |",
    ]


def test_all_released_bundles_are_checked_by_default(monkeypatch, data):
    seen = []
    monkeypatch.setattr(release_gate, "crop", lambda items, folder, *_: items)
    monkeypatch.setattr(release_gate, "read_test_part", lambda *_: [])
    monkeypatch.setattr(release_gate, "_run", lambda jobs, *_: seen.extend(jobs) or [[] for _ in jobs])
    assert run(monkeypatch, "--data", data) == 0
    networks = ("edsr", "srgan", "swift_srgan")
    expected = [
        (f"{net}_{place}", scale) for net in networks for place in ("mri", "oct", "xray") for scale in (2, 4)
    ]
    assert [(bundle.name, scale) for bundle, scale in seen] == expected


@pytest.mark.slow
def test_a_worker_gives_the_checks_in_order(data):
    jobs = [(release_gate.find_bundle(name), 8) for name in ("edsr_mri", "srgan_mri")]
    first, second = release_gate._run(jobs, {"mri": []}, 2)
    assert "edsr_mri" in first[0].what
    assert "srgan_mri" in second[0].what


@pytest.mark.parametrize(
    ("arguments", "word"), [(["--data", "absent"], "absent"), (["edsr_none", "--data", "."], "edsr_none")]
)
def test_what_cannot_be_checked_is_told(monkeypatch, capsys, arguments, word):
    assert run(monkeypatch, *arguments) == 2
    assert word in capsys.readouterr().err
