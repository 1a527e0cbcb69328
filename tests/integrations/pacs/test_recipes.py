"""What docs/pacs.md tells to do, done."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from monai_sr.integrations.pacs.address import parse_address
from monai_sr.integrations.pacs.server import Pacs
from monai_sr.sample import sample_series_dir
from tests.conftest import find_tool
from tests.integrations.orthanc import running_orthanc

DOCS = Path(__file__).parents[3] / "docs"
COMMAND = f"{sys.executable} -m monai_sr"


def recipe(word):
    """The block of the documentation that holds a word."""
    blocks = re.findall(r"```bash\n(.*?)```", (DOCS / "pacs.md").read_text(), re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_orthanc_starts_the_command_for_each_series_but_ours(tmp_path, make_dicom):
    find_tool("flock")
    pwned, calls, script = DOCS.parent / "pwned", tmp_path / "calls", tmp_path / "command"
    pwned.unlink(missing_ok=True)
    upscale = f"{COMMAND} upscale --bundle swift_srgan_mri --runtime torch"
    script.write_text(f'echo "$@" >> {calls}\nexec {upscale} "$@"')
    env = {
        "MONAI_SR_COMMAND": f"sh {script}",
        "MONAI_SR_LOCK": str(tmp_path / "lock"),
        "OMP_NUM_THREADS": "1",
    }
    with running_orthanc(tmp_path / "orthanc", lua=[DOCS / "orthanc.lua"], env=env) as orthanc:
        # A scanner chooses its UIDs, and may be no scanner.
        hostile = make_dicom(
            9, count=1, edit=lambda image: setattr(image, "SeriesInstanceUID", "1.2;>pwned;")
        )
        Pacs(parse_address(orthanc.url)).post(list(hostile.iterdir()))
        orthanc.push(sample_series_dir(), make_dicom(6, edit=lambda image: setattr(image, "Modality", "CT")))
        end = time.monotonic() + 120
        slowest = 0.0
        while (
            sum(change["ChangeType"] == "StableSeries" for change in orthanc.get("/changes")["Changes"]) < 4
        ):
            assert time.monotonic() < end, (orthanc.folder / "log.txt").read_text()[-3000:]
            start = time.monotonic()
            orthanc.get("/system")
            slowest = max(slowest, time.monotonic() - start)
            time.sleep(0.2)
        # Our own series has become stable, too, and nothing is started for it.
        time.sleep(3)
        assert calls.read_text().count("\n") == 1
        assert sorted(orthanc.series().values()) == [1, 3, 12, 12]
        assert slowest < 5
    assert not pwned.exists()


@pytest.mark.slow
@pytest.mark.parametrize("word", ["MERCURE_IN_DIR", "/input /output"])
def test_a_module_takes_a_folder_and_gives_a_folder(tmp_path, make_dicom, word):
    given, taken = make_dicom(5, size=16), tmp_path / "taken"
    make_dicom(6, size=16).rename(given / "other")
    (given / "task.json").write_text("{}")
    taken.mkdir()
    script = recipe(word).replace("/input", str(given)).replace("/output", str(taken))
    script = script.replace("edsr_mri", "swift_srgan_mri --runtime torch").replace("monai-sr ", f"{COMMAND} ")
    env = {"MERCURE_IN_DIR": str(given), "MERCURE_OUT_DIR": str(taken), "PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        ["sh", "-c", script], env=env, capture_output=True, text=True, check=False, cwd=DOCS.parent
    )
    assert result.returncode == 0, result.stderr
    found = list(taken.glob("*.dcm") if "MERCURE" in word else taken.rglob("*.dcm"))
    assert len(found) == 6
    assert len({dcmread(path).SeriesInstanceUID for path in found}) == 2
