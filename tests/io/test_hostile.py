"""Hostile files, each of which must cost no more than a refusal.

The bounds are 10 s of computing and 1 GB resident, in the process that reads and in the one that decodes. The
whole command stays within them too, although PyTorch alone takes over half of that memory.
"""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from monai_sr.batch import run_archive
from monai_sr.sample import sample_dataset_dir
from tests.batch.conftest import Repeating
from tests.bundles.commands import ROOT

SECONDS, RESIDENT = 10, 10**9


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Folder with the subfolders `refused`, `read` and `either`."""
    folder = tmp_path_factory.mktemp("hostile")
    subprocess.run([sys.executable, ROOT / "scripts" / "make_hostile_dicom.py", folder], check=True)
    return folder


@pytest.fixture
def outcomes(hostile, tmp_path):
    """Function from a subfolder to (path, answer) of its files, read in one child that prints nothing bad."""
    supervisor_type = runpy.run_path(str(ROOT / "scripts" / "fuzz_dicom.py"))["Supervisor"]

    def read(name):
        with (tmp_path / "printed").open("w+") as printed:
            supervisor = supervisor_type(printed)
            answers = [(path, supervisor.read(path)) for path in sorted((hostile / name).iterdir())]
            supervisor.close()
            printed.seek(0)
            text = printed.read()
        assert "PLANTED" not in text
        assert "Traceback" not in text
        return answers

    return read


def test_every_attack_is_refused_in_one_sentence(outcomes):
    answers = outcomes("refused")
    assert len(answers) > 120
    wrong = {
        path.name: answer
        for path, answer in answers
        if not answer.get("refused", "").startswith(str(path)) or "PLANTED" in answer["refused"]
    }
    assert wrong == {}


def test_good_images_with_hostile_values_are_read(outcomes):
    wrong = {path.name: answer for path, answer in outcomes("read") if "volume" not in answer}
    assert wrong == {}


def test_what_may_be_read_or_refused_does_no_harm(outcomes):
    wrong = {path.name: answer for path, answer in outcomes("either") if "finding" in answer}
    assert wrong == {}


def test_a_batch_refuses_every_attack_and_does_the_rest(hostile, tmp_path):
    archive = tmp_path / "archive"
    pipes = shutil.ignore_patterns("pipe*")  # which cannot be copied
    shutil.copytree(hostile / "refused", archive / "attacks", symlinks=True, ignore=pipes)
    good = sample_dataset_dir() / "dicom" / "mr_small" / "MR_small.dcm"
    for place in ("attacks/IM1", "zoo/IM1"):  # before the attacks and after them
        (archive / place).parent.mkdir(exist_ok=True)
        image = dcmread(good)
        image.SeriesInstanceUID += f".{len(place)}"
        image.save_as(archive / place)
    outcomes = []
    run_archive(
        Repeating(), archive, tmp_path / "out", on_outcome=lambda outcome, _: outcomes.append(outcome)
    )
    assert [outcome.status for outcome in outcomes].count("done") == 2
    assert {outcome.status for outcome in outcomes} == {"done", "refused"}
    assert sum(1 for _ in (tmp_path / "out").glob("series_*/*.dcm")) == 2
    assert "PLANTED" not in (tmp_path / "out" / "report.jsonl").read_text()


# A process begins with its parent's peak of memory on its account, so that a small parent has to measure it.
MEASURE = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
printed = process.stdout.read()
_, status, usage = os.wait4(process.pid, 0)
code = os.waitstatus_to_exitcode(status)
print(json.dumps([code, printed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]))
"""


def command(source, destination):
    """Exit code, what was printed, seconds of computing and peak memory in bytes of a whole command."""
    upscale = [sys.executable, "-m", "monai_sr", "upscale", source, destination]
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, upscale)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "80"},
    )
    return json.loads(result.stdout)


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="measures by wait4")
def test_the_command_refuses_an_attack_and_leaves_nothing(hostile, tmp_path):
    attack = hostile / "refused" / "rle_of_27_kb_claims_8192_squared.dcm"
    baseline = command(tmp_path / "missing.dcm", tmp_path / "out" / "finer")[2]
    code, printed, seconds, resident = command(attack, tmp_path / "out" / "finer")
    assert code == 2
    assert printed.startswith(f"Error: {attack} ")
    assert len(printed.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    assert seconds < SECONDS + baseline
    assert resident < RESIDENT


def test_hostile_values_name_no_output_and_reach_no_terminal(hostile, tmp_path):
    source = hostile / "read" / "values_are_paths_for_a_terminal.dcm"
    code, printed, *_ = command(source, tmp_path / "out" / "finer")
    assert code == 0, printed
    assert "PLANTED" not in printed
    assert "\x1b" not in printed
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")] == [Path("out/finer/00001.dcm")]
