"""A real PACS for the tests: Debian's Orthanc with its DICOMweb plugin."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_tool
from tests.integrations.ports import free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
START = 60.0
"""Seconds that it may take to start."""


@dataclass
class Orthanc:
    """A running PACS.

    Args:
        url: of its own interface; DICOMweb is below `dicom_web`.
        dicom_port: for DICOM's own protocol.
        process: the server.
    """

    url: str
    dicom_port: int
    process: subprocess.Popen[bytes]

    @property
    def dicom_web(self) -> str:
        return f"{self.url}/dicom-web"

    def ask(self, path: str, data: bytes | None = None) -> Any:
        with urllib.request.urlopen(f"{self.url}/{path}", data, timeout=30) as response:
            return json.load(response)

    def add(self, *files: Path) -> None:
        for file in files:
            self.ask("instances", file.read_bytes())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@contextmanager
def running_orthanc(folder: Path, **settings: Any) -> Iterator[Orthanc]:
    """An empty PACS on free ports of this machine, whose data are in `folder`."""
    program = find_tool("Orthanc")
    if not PLUGIN.exists():
        pytest.fail(f"{PLUGIN} is not there: install orthanc-dicomweb")
    folder.mkdir(parents=True, exist_ok=True)
    http, dicom = free_port(), free_port()
    config = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": http,
        "DicomPort": dicom,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(PLUGIN)],
    }
    (folder / "orthanc.json").write_text(json.dumps(config | settings))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    orthanc = Orthanc(f"http://127.0.0.1:{http}", dicom, process)
    try:
        deadline = time.monotonic() + START
        while True:
            try:
                orthanc.ask("dicom-web/series")
                break
            except (urllib.error.URLError, OSError):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail("Orthanc did not start: " + (folder / "orthanc.log").read_text()[-2000:])
                time.sleep(0.2)
        yield orthanc
    finally:
        orthanc.stop()
