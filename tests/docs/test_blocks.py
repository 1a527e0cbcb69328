"""Every command and every Python block that a page shows runs as it stands, on the sample made small."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import pytest
import typer
from pydicom import dcmread

from monai_sr.cli import app
from tests.docs.blocks import ROOT, blocks, commands, pages
from tests.docs.exceptions import ELSEWHERE, SUBSTITUTED

IGNORED = shutil.ignore_patterns("__pycache__", "runs", "_build", "generated", "*.jpg")
ROWS, COLUMNS, SLABS, FILES = slice(56, 104), slice(56, 96), 4, 7
"""The part of the sample that is left, slices of NIfTI and of DICOM: commands are to run, not to compute."""

WARM = f"{sys.executable} -I -S {Path(__file__).with_name('warm.py')}"

SHOWN = ("bash", "python")
PAGES = {path: blocks((ROOT / path).read_text(encoding="utf-8")) for path in pages()}
WITH_COMMANDS = [page for page, found in PAGES.items() if any(block.language in SHOWN for block in found)]


def is_elsewhere(command: str) -> bool:
    return any(matches(command, known) for entry in ELSEWHERE for known in entry.commands)


def matches(command: str, known: str) -> bool:
    return command.startswith(known[:-1]) if known.endswith("*") else command == known


def script(text: str) -> str:
    """What is run of a bash block."""
    lines = [command for command in commands(text) if not is_elsewhere(command)]
    for pattern, replacement, _ in SUBSTITUTED:
        lines = [re.sub(pattern, replacement, line) for line in lines]
    return "\n".join(lines)


def shown(language: str) -> list[tuple[Path, str]]:
    return [
        (page, block.text) for page, found in PAGES.items() for block in found if block.language == language
    ]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A clone with a smaller sample, and what stands for a user's images."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("monai_sr", "bundles", "scripts"):
        shutil.copytree(ROOT / name, root / name, ignore=IGNORED)
    sample = root / "monai_sr" / "sample"
    series = sample / "dicom" / "mni152_test"
    for path in sorted(series.iterdir())[FILES:]:
        path.unlink()
    for path in series.iterdir():
        image = dcmread(path)
        pixels = image.pixel_array[ROWS, COLUMNS]
        image.Rows, image.Columns = pixels.shape
        image.PixelData = pixels.tobytes()
        image.save_as(path)
    for path in (sample / "nifti").iterdir():
        slab = nibabel.load(path).slicer[COLUMNS, ROWS, :SLABS]
        nibabel.Nifti1Image(slab.get_fdata(), slab.affine, slab.header).to_filename(path)
    slab = sample / "nifti" / "mni152_test.nii.gz"
    shutil.copytree(series, root / "SERIES")
    shutil.copyfile(next(series.iterdir()), root / "RADIOGRAPH.dcm")
    write_png(nibabel.load(slab).get_fdata()[..., 0], root / "BSCAN.png")
    shutil.copytree(series, root / "data" / "archive" / "head")
    shutil.copyfile(root / "BSCAN.png", root / "data" / "archive" / "b-scan.png")
    (root / "data" / "archive" / "notes.txt").write_text("no image")
    manifest = []
    for number in (1, 2, 3):
        for folder in ("data/my_scans", "DATA/mri", "DATA/oct", "DATA/xray"):
            name = f"sub-{number:02d}.nii.gz"
            (root / folder).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(slab, root / folder / name)
            if folder.startswith("DATA"):
                manifest.append((f"{Path(folder).name}/{name}", f"sub-{number:02d}"))
    with (root / "DATA" / "MANIFEST.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("path", "patient"), *(row for row in manifest if "my_scans" not in row[0])]
        )
    return root


def link_weights(source, target):
    # What is large is only read: whoever writes weights replaces the file.
    (os.link if source.endswith(".pt") else shutil.copy2)(source, target)


def write_png(frame, path):
    from PIL import Image

    Image.fromarray((frame / max(frame.max(), 1) * 255).astype("uint8")).save(path)


@pytest.fixture(scope="module")
def path(checkout, tmp_path_factory):
    """A PATH as of an environment with monai-sr, whose commands need not import all anew."""
    folder = tmp_path_factory.mktemp("bin")
    # A socket's address may be no longer than a hundred characters.
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        address = f"{short}/warm"
        words = {
            "monai-sr": f'exec {WARM} {address} monai_sr "$@"',
            "python": f'case "$1 $2" in\n"-m monai.bundle") shift;;\n*.py" ") ;;\n'
            f'*) exec {sys.executable} "$@";;\nesac\nexec {WARM} {address} "$@"',
            "torchrun": f'exec {sys.executable} -m torch.distributed.run "$@"',
        }
        for word, meaning in words.items():
            (folder / word).write_text(f"#!/bin/sh\n{meaning}\n")
            (folder / word).chmod(0o755)
        env = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
        server = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("warm.py"), address],
            cwd=checkout,
            env=env,
            stdout=subprocess.PIPE,
        )
        try:
            assert server.stdout.readline() == b"ready\n"
            yield f"{folder}{os.pathsep}{os.environ['PATH']}"
        finally:
            server.terminate()
            server.communicate()


@pytest.fixture
def work(checkout, path, tmp_path):
    """A folder of its own for a page, and the environment in which its commands are known."""
    folder = tmp_path / "work"
    shutil.copytree(checkout, folder, copy_function=link_weights)
    (folder / "taken").mkdir()
    module = {"MERCURE_IN_DIR": "SERIES", "MERCURE_OUT_DIR": "taken"}
    env = {"PATH": path, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    return folder, os.environ | module | env


def run(command, work):
    folder, env = work
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=str)
def test_the_commands_of_a_page_run(page, work):
    found = PAGES[page]
    for block in found:
        if block.language == "bash" and (lines := script(block.text)):
            run(["bash", "-euo", "pipefail", "-c", lines], work)
    # Blocks of Python on one page go on from each other.
    if python := "\n".join(block.text for block in found if block.language == "python"):
        (work[0] / "blocks.py").write_text(python)
        run(["bash", "-c", "python blocks.py"], work)


def test_there_are_pages_with_commands():
    assert len(shown("bash")) > 30
    assert len(shown("python")) > 3


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_block_says_what_it_is(page):
    # Any other name for a shell would be shown alike, and never be run.
    known = {"bash", "python", "ini", "json", "lua", "text"}
    for block in PAGES[page]:
        is_directive = re.fullmatch(r"\{[a-z-]+\}.*", block.language)
        assert block.language in known or is_directive, (
            f"{page}:{block.line} is {block.language or 'nameless'}"
        )
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not re.search(r"code-block::|\.\. code::|\{code(-block)?\}", text)


@pytest.mark.parametrize("text", [text for _, text in shown("bash")])
def test_a_block_is_bash(text):
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_a_command_that_is_not_run_is_well_formed():
    known = typer.main.get_command(app).commands
    lines = [line for _, text in shown("bash") for line in commands(text) if is_elsewhere(line)]
    ours = [shlex.split(line)[1:] for line in lines if line.startswith("monai-sr ")]
    assert ours
    for name, *options in ours:
        known[name].make_context(name, options)


@pytest.mark.parametrize("entry", ELSEWHERE, ids=lambda entry: entry.commands[0])
def test_an_exception_is_shown_and_is_run_where_it_says(entry):
    lines = [line for _, text in shown("bash") for line in commands(text)]
    for known in entry.commands:
        assert any(matches(line, known) for line in lines), f"no page shows {known}"
    if entry.where is None:
        return
    path, _, test = entry.where.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert (f"def {test}(" if test else "make ") in text


@pytest.mark.parametrize("substitution", SUBSTITUTED, ids=lambda substitution: substitution[0])
def test_a_substitution_is_used(substitution):
    lines = [line for _, text in shown("bash") for line in commands(text) if not is_elsewhere(line)]
    assert any(re.search(substitution[0], line) for line in lines)
