from __future__ import annotations

import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monai_sr.io.temporary import temporary_folder


def test_it_is_private_and_gone_afterwards(tmp_path):
    with temporary_folder(tmp_path) as folder:
        (folder / "image").write_text("pixels")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_it_goes_with_its_process(tmp_path, end):
    program = (
        "import sys, time; from pathlib import Path; from monai_sr.io.temporary import temporary_folder\n"
        "with temporary_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'image').write_text('pixels'); print('there', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == b"there\n"
        assert [path.name for path in Path(tmp_path).glob("*/image")] == ["image"]
        process.send_signal(end)
    deadline = time.monotonic() + 20
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []
