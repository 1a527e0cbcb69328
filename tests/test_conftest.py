from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from tests.conftest import find_tool, path_from_environment, pytest_collection_modifyitems


def test_an_unset_variable_skips(monkeypatch):
    monkeypatch.delenv("MONAI_SR_TEST_DATA", raising=False)
    with pytest.raises(pytest.skip.Exception, match="MONAI_SR_TEST_DATA"):
        path_from_environment("MONAI_SR_TEST_DATA")


def test_a_variable_that_names_nothing_fails(monkeypatch, tmp_path):
    monkeypatch.setenv("MONAI_SR_TEST_DATA", str(tmp_path / "missing"))
    with pytest.raises(pytest.fail.Exception, match="does not exist"):
        path_from_environment("MONAI_SR_TEST_DATA")


def test_a_variable_that_names_a_folder_gives_it(monkeypatch, tmp_path):
    monkeypatch.setenv("MONAI_SR_TEST_DATA", str(tmp_path))
    assert path_from_environment("MONAI_SR_TEST_DATA") == tmp_path


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_tool_skips_or_fails(monkeypatch, required, outcome):
    monkeypatch.setenv("MONAI_SR_REQUIRE_TOOLS", required)
    with pytest.raises(outcome, match="no-such-tool"):
        find_tool("no-such-tool")


def test_an_installed_tool_is_found():
    assert find_tool(sys.executable) == sys.executable


@pytest.mark.parametrize(
    ("fixture", "markers"), [("data_dir", ["data"]), ("require_tool", ["tools"]), ("tmp_path", [])]
)
def test_a_test_is_marked_by_what_it_asks_for(fixture, markers):
    added: list[str] = []
    item = SimpleNamespace(fixturenames=(fixture,), add_marker=added.append)
    pytest_collection_modifyitems([item])
    assert added == markers
