"""The server as a user starts it, and the requests that its page makes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

START_SECONDS, JOB_SECONDS = 120, 120
FAST = {"bundle": "swift_srgan_mri", "scale_factor": 2}


class Running:
    """`monai-sr app` on a free port, with temporary files in a folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.temporary = folder / "temporary"
        self.temporary.mkdir(exist_ok=True)
        self.log = folder / "log"
        command = [sys.executable, "-m", "monai_sr", "app", "--port", "0", *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | {"TMPDIR": str(self.temporary)}
            )
        self.url = self._address()
        self.client = httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=60)

    def _address(self) -> str:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            if found := re.search(r"Open (http://\S+) ", self.log.read_text()):
                return found[1]
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.client.close()
        self.process.send_signal(how)
        return self.process.wait(30)

    def kept(self) -> list[Path]:
        """Files of uploads and results that are on the disk."""
        # Other than Path.glob, this goes on where a folder vanishes meanwhile.
        return [Path(folder, name) for folder, _, names in os.walk(self.temporary) for name in names]

    def emptied(self) -> None:
        """Wait until the page's wish to delete its image is done."""
        until = time.monotonic() + 30
        while kept := self.kept():
            assert time.monotonic() < until, kept
            time.sleep(0.05)

    def send(self, *files: tuple[str, bytes]) -> str:
        """Upload files, each with its suffix; gives the job's token."""
        opened = self.client.post("/jobs", json={"files": len(files)})
        assert opened.status_code == 201, opened.text
        token = opened.json()["token"]
        for number, (suffix, content) in enumerate(files, start=1):
            put = self.put(token, number, suffix, content)
            assert put.status_code == 204, put.text
        return token

    def put(self, token: str, number: int, suffix: str, content: Any, folder: object = 0) -> httpx.Response:
        query = {"type": suffix, "folder": str(folder)}
        return self.client.put(f"/jobs/{token}/files/{number}", params=query, content=content)

    def look(self, token: str) -> httpx.Response:
        return self.client.post(f"/jobs/{token}/look")

    def start(self, token: str, **choice: object) -> httpx.Response:
        return self.client.post(f"/jobs/{token}/start", json=FAST | choice)

    def state(self, token: str) -> dict[str, Any]:
        return self.client.get(f"/jobs/{token}").json()

    def wait(self, token: str, *states: str) -> dict[str, Any]:
        until = time.monotonic() + JOB_SECONDS
        while (job := self.state(token)).get("state") not in states:
            assert time.monotonic() < until, job
            assert "state" in job, job
            time.sleep(0.05)
        return job
