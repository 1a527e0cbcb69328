"""The requests of the tutorial, as its reader sends them."""

import re
import shutil
import subprocess

import pytest

from tests.integrations.monailabel.images import assert_finer, write_nifti
from tests.integrations.monailabel.serving import APP, ROOT, running_server

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "tutorials" / "monai_label.md"


def requests():
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    text = "".join(blocks).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.startswith("curl ")]


def test_every_request_of_the_tutorial_is_answered(tmp_path, require_tool):
    require_tool("curl")
    studies = tmp_path / "studies"
    studies.mkdir()
    scan = write_nifti(studies / "scan.nii.gz")
    shutil.copyfile(scan, studies / "another.nii.gz")
    shutil.copyfile(scan, tmp_path / "other.nii.gz")
    commands = requests()
    assert len(commands) == 5
    with running_server(tmp_path / "server", APP, studies, models="edsr_mri", train="true") as server:
        for command in commands:
            here = command.replace("http://127.0.0.1:8000", server.url).replace(
                '"max_epochs":10', '"max_epochs":1,"iterations_per_epoch":1'
            )
            done = subprocess.run(["bash", "-c", here], cwd=tmp_path, capture_output=True, timeout=300)
            assert done.returncode == 0, (command, done.stderr)
            for name in re.findall(r"-o (\S+)", command):
                assert_finer(scan, tmp_path / name, 2)
                (tmp_path / name).unlink()
        assert_finer(scan, studies / "labels" / "sr" / "scan.nii.gz", 2)
