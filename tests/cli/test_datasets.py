"""`split`."""

from __future__ import annotations

from monai_sr.errors import InputError, MonaiSRError
from tests.cli.commands import invoke


def test_a_datalist_is_replaced_only_when_asked(tmp_path):
    for name in ("a.nii", "b.nii", "c.nii"):
        (tmp_path / name).touch()
    path = tmp_path / "datalist.json"
    path.write_text("mine")
    result = invoke("split", tmp_path)
    assert isinstance(result.exception, InputError)
    assert "--overwrite" in str(result.exception)
    assert path.read_text() == "mine"
    assert invoke("split", tmp_path, "--overwrite").exit_code == 0
    assert path.read_text() != "mine"


def test_a_disk_that_refuses_is_named_without_a_traceback(tmp_path):
    for name in ("a.nii", "b.nii", "c.nii"):
        (tmp_path / name).touch()
    error = invoke("split", tmp_path, "--output", "/proc/datalist.json").exception
    assert isinstance(error, MonaiSRError)
    assert "/proc/datalist.json could not be written" in str(error)
