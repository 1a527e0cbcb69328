import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io.atomic import atomic_file, atomic_folder, check_destination, remove_leftovers


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def fill(path, text="new"):
    with atomic_folder(path) as folder:
        (folder / "00001.dcm").write_text(text)


def test_folder_appears_whole_with_its_parents(tmp_path):
    fill(tmp_path / "a" / "out")
    assert names(tmp_path / "a") == ["out"]
    assert (tmp_path / "a" / "out" / "00001.dcm").read_text() == "new"


def test_folder_replaces_an_earlier_one(tmp_path):
    fill(tmp_path / "out", "old")
    (tmp_path / "out" / "00002.dcm").write_text("old")
    fill(tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["00001.dcm"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_any_failure_leaves_what_was_there(tmp_path, failure):
    fill(tmp_path / "out", "old")

    def fail():
        with atomic_folder(tmp_path / "out") as folder:
            (folder / "00001.dcm").write_text("new")
            raise failure

    with pytest.raises(failure):
        fail()
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "00001.dcm").read_text() == "old"


def test_earlier_output_survives_a_failing_swap(tmp_path, monkeypatch):
    fill(tmp_path / "out", "old")
    rename = Path.rename

    def refuse(self, target):
        if ".partial-" in self.name:
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(MonaiSRError, match="Permission denied"):
        fill(tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "00001.dcm").read_text() == "old"


def test_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.nii.gz"

    def write(text, failure=None):
        with atomic_file(path) as file:
            assert file.name.endswith(".nii.gz")
            file.write_text(text)
            if failure:
                raise failure

    with pytest.raises(MonaiSRError, match="No space"):
        write("half", OSError(28, "No space left on device"))
    assert names(tmp_path) == []
    write("old")
    with pytest.raises(MonaiSRError):
        write("half", OSError(28, "No space left on device"))
    assert path.read_text() == "old"
    write("new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["out.nii.gz"]


KILLED = """
import os, pathlib, signal, sys
from monai_sr.io.atomic import {what}

rename = pathlib.Path.rename

def die_at_the_swap(self, target):
    rename(self, target)
    os.kill(os.getpid(), signal.SIGKILL)

pathlib.Path.rename = die_at_the_swap
with {what}(pathlib.Path(sys.argv[1])) as made:
    (made / "00001.dcm" if {folder} else made).write_text("new")
    if sys.argv[2] == "filling":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("what", "moment"),
    [("atomic_folder", "filling"), ("atomic_folder", "swapping"), ("atomic_file", "filling")],
)
def test_what_a_killed_process_leaves_is_hidden_and_can_be_removed(tmp_path, what, moment):
    target = tmp_path / "deep" / "out.png"
    if moment == "swapping":
        fill(target, "old")
    code = KILLED.format(what=what, folder=what == "atomic_folder")
    killed = subprocess.run([sys.executable, "-c", code, target, moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = names(tmp_path / "deep")
    assert left
    assert all(name.startswith(".") for name in left)
    (tmp_path / "deep" / ".hidden").write_text("mine")
    remove_leftovers(tmp_path)
    assert names(tmp_path / "deep") == [".hidden"]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("in", "lies in the input"),
        ("in/deep/out", "lies in the input"),
        (".", "holds the input"),
        ("full", "not empty"),
        ("nested", "holds folders"),
        ("file", "is a file"),
    ],
)
def test_output_folder_that_would_harm_is_refused(tmp_path, output, reason):
    for folder in ("in/deep", "full", "nested/below", "empty"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "full" / "00001.dcm").touch()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=reason):
        check_destination(tmp_path / output, tmp_path / "in", folder=True, overwrite=output != "full")
    check_destination(tmp_path / "full", tmp_path / "in", folder=True, overwrite=True, written=r"\d+\.dcm")
    check_destination(tmp_path / "empty", tmp_path / "in", folder=True, overwrite=False)


def test_output_file_that_would_harm_is_refused(tmp_path):
    source, out = tmp_path / "in.nii", tmp_path / "out.nii"
    source.touch()
    out.touch()
    with pytest.raises(InputError, match="exists; choose"):
        check_destination(out, source, folder=False, overwrite=False)
    check_destination(out, source, folder=False, overwrite=True)
    with pytest.raises(InputError, match="lies in the input"):
        check_destination(source, source, folder=False, overwrite=True)
    with pytest.raises(InputError, match="is a folder"):
        check_destination(tmp_path, tmp_path.parent / "in.nii", folder=False, overwrite=True)


@pytest.mark.parametrize("name", ["notes.txt", "my00001.dcm", "00001.dcm.txt"])
def test_a_folder_with_files_of_one_s_own_is_never_replaced(tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / "00001.dcm").touch()
    (out / name).touch()
    with pytest.raises(InputError, match=f"{name} is not of an earlier output"):
        check_destination(out, tmp_path / "in", folder=True, overwrite=True, written=r"\d{5}\.dcm")


def test_an_output_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="null is neither a file nor a folder"):
        check_destination(Path(os.devnull), tmp_path / "in", folder=False, overwrite=True)
    (tmp_path / "file").touch()
    for output in (Path(os.devnull, "out.png"), tmp_path / "file" / "deep" / "out.png"):
        with pytest.raises(InputError, match=r"(null|file) is not a folder"):
            check_destination(output, tmp_path / "in", folder=False, overwrite=True)


def test_a_file_below_a_file_is_a_failure_without_traceback(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(MonaiSRError, match="could not be written"),
        atomic_file(tmp_path / "file" / "out.png"),
    ):
        pass


def test_link_to_the_input_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    os.symlink(tmp_path / "in", tmp_path / "link")
    with pytest.raises(InputError, match="lies in the input"):
        check_destination(tmp_path / "link" / "out", tmp_path / "in", folder=True, overwrite=False)
