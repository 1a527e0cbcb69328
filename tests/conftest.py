"""Fixtures for every test: where real data and outside tools are, and the same randomness each time."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

# Found by pytest here: a fixture for every test, and a hook.
from tests.patient_data import no_patient_data, pytest_runtest_makereport  # noqa: F401

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Set before torch, matplotlib or a BLAS is imported, since they read these only once.
# Workers side by side would fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
os.environ.setdefault("MPLBACKEND", "Agg")
# Converted networks are named by what they compute, so tests share them without harm.
os.environ["MONAI_SR_CACHE"] = str(Path(tempfile.gettempdir()) / "monai-sr-tests")

# The same examples each time, and no failure because the machine is busy.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

DATA_FIXTURES = {"data_dir", "weights_dir", "schema_path"}
TOOL_FIXTURES = {"require_tool", "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark a test by what it asks for, so that `-m "not data and not tools"` always deselects it."""
    for item in items:
        asked_for = set(getattr(item, "fixturenames", ()))
        if asked_for & DATA_FIXTURES:
            item.add_marker("data")
        if asked_for & TOOL_FIXTURES:
            item.add_marker("tools")


def path_from_environment(variable: str) -> Path:
    """Path named by `variable`: unset skips the test, a path that does not exist fails it."""
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set")
    path = Path(value)
    if not path.exists():
        pytest.fail(f"{variable} names {value}, which does not exist")
    return path


def find_tool(name: str) -> str:
    """Full path of the executable `name`: missing skips the test, or fails it where tools are required."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("MONAI_SR_REQUIRE_TOOLS") == "1":
            pytest.fail(f"{name} is not installed, and MONAI_SR_REQUIRE_TOOLS=1 requires it")
        pytest.skip(f"{name} is not installed")
    return path


def find_environment(variable: str, script: str) -> Path:
    """Virtual environment of another program, named by `variable`; missing as for a missing tool."""
    value = os.environ.get(variable)
    if value and Path(value, "bin", "python").exists():
        return Path(value).absolute()
    problem = f"{variable} names no environment: make one by {script} FOLDER"
    if os.environ.get("MONAI_SR_REQUIRE_TOOLS") == "1" or value:
        pytest.fail(problem)
    pytest.skip(problem)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real images, with `mri/` and `dicom/` below it."""
    return path_from_environment("MONAI_SR_TEST_DATA")


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """Folder of feature networks' weights."""
    return path_from_environment("MONAI_SR_TEST_WEIGHTS")


@pytest.fixture(scope="session")
def schema_path() -> Path:
    """MONAI's JSON schema of a bundle's metadata."""
    return path_from_environment("MONAI_SR_TEST_SCHEMA")


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """Function from an executable's name, such as `dciodvfy`, to its full path."""
    return find_tool


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a window; for one module, since its event loop keeps others from running."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium refuses its own sandbox to root, which tests in a container are.
        started = playwright.chromium.launch(executable_path=find_tool("chromium"), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(autouse=True)
def _same_randomness() -> None:
    """Seed every generator; torch only where a test has imported it, since that import is slow."""
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
