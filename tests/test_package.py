"""The installed package: its public names, and the bundles and the sample that its wheel carries."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import monai_sr
from monai_sr.bundle import Bundle

ROOT = Path(__file__).parent.parent
BUNDLES = sorted(path.parent.parent for path in (ROOT / "bundles").glob("[!_]*/configs/metadata.json"))
READ = ("sample", "report/assets", "study/assets", "through_plane", "integrations/web/static")
"""Folders whose files the package reads."""


@pytest.mark.parametrize("name", monai_sr.__all__)
def test_a_public_name_resolves(name):
    assert getattr(monai_sr, name) is not None
    assert name in dir(monai_sr)


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="unknown_name"):
        monai_sr.unknown_name  # noqa: B018


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of a copy of the repository, since building leaves files behind; a run's leftovers planted."""
    source = tmp_path_factory.mktemp("source") / "repository"
    for name in ("monai_sr", "bundles"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    leftover = source / "bundles" / BUNDLES[0].name / "runs" / "model.pt"
    leftover.parent.mkdir()
    leftover.touch()
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            target,
            source,
        ],
        check=True,
    )
    (path,) = target.glob(f"monai_sr-{monai_sr.__version__}-*.whl")
    return path


def test_the_wheel_carries_what_the_package_reads(wheel):
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    needed = {"monai_sr/py.typed"} | {
        path.relative_to(ROOT).as_posix()
        for folder in READ
        for path in (ROOT / "monai_sr" / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    for bundle in BUNDLES:
        for pattern in ("LICENSE", "configs/*", "docs/*", "models/*.pt"):
            found = [path.relative_to(ROOT / "bundles").as_posix() for path in bundle.glob(pattern)]
            trained = Bundle(bundle).scale_factors or not pattern.startswith("models")
            assert bool(found) == bool(trained), f"{bundle.name} has no {pattern}"
            needed.update(f"monai_sr/_bundles/{name}" for name in found)
    assert needed - carried == set()
    carried_bundles = {name.split("/")[2] for name in carried if name.startswith("monai_sr/_bundles/")}
    assert carried_bundles == {bundle.name for bundle in BUNDLES}
    assert not any("/runs/" in name for name in carried)


def test_an_installed_package_finds_its_bundles(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "from importlib.resources import files;"
        "print(*[path.name for path in (files('monai_sr') / '_bundles').iterdir()])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert set(found.split()) == {bundle.name for bundle in BUNDLES}
