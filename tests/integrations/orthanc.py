"""A real PACS: Debian's Orthanc with its DICOMweb plugin, on ports of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import find_tool
from tests.integrations.ports import free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "reader", "pass phrase"
START_SECONDS = 60.0


class Orthanc:
    """A running Orthanc; `running_orthanc` makes it.

    Args:
        folder: of its configuration and its images, which survive a restart.
        auth: whether it asks for `USER` and `PASSWORD`.
        lua: scripts that it runs.
        env: what its environment has beside ours.
        settings: added to its configuration.
    """

    def __init__(
        self, folder: Path, auth: bool, lua: Sequence[Path], env: Mapping[str, str], settings: dict[str, Any]
    ) -> None:
        self._executable = find_tool("Orthanc")
        if not PLUGIN.exists():
            find_tool("Orthanc's DICOMweb plugin")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.http_port, self.dicom_port = free_port(), free_port()
        self.root = f"http://127.0.0.1:{self.http_port}"
        self.dicom_web = f"{self.root}/dicom-web"
        self.url = self.dicom_web.replace("http://", "dicomweb://")
        self._credentials = (USER, PASSWORD) if auth else None
        self._env = os.environ | dict(env) | {"MONAI_SR_SERVER": self.url}
        self._process: subprocess.Popen[bytes] | None = None
        configuration = {
            "Name": "test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": auth,
            "RegisteredUsers": {USER: PASSWORD} if auth else {},
            "StableAge": 1,
            "Plugins": [str(PLUGIN)],
            "LuaScripts": [str(path) for path in lua],
            **settings,
        }
        (folder / "orthanc.json").write_text(json.dumps(configuration))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log.txt").open("ab") as log:
            command = [self._executable, str(self.folder / "orthanc.json")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self._env)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self.get("/system")
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"Orthanc did not start: see {self.folder / 'log.txt'}")

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        """End it, cleanly unless told otherwise."""
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(START_SECONDS)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def get(self, path: str, method: str = "GET") -> Any:
        """What its own interface answers, as JSON."""
        request = urllib.request.Request(self.root + path, method=method)
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if self._credentials:
            passwords.add_password(None, self.root, *self._credentials)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(passwords)
        )
        try:
            with opener.open(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"Orthanc answers {error.code} to {path}") from error

    def push(self, *folders: Path) -> None:
        """Send files over the network as a scanner does."""
        sender = [find_tool("storescu"), "--scan-directories", "--recurse", "--propose-lossless"]
        command = [*sender, "127.0.0.1", str(self.dicom_port), *map(str, folders)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)

    def series(self) -> dict[str, int]:
        """Number of instances of each series, by SeriesInstanceUID."""
        found = self.get("/series?expand")
        return {entry["MainDicomTags"]["SeriesInstanceUID"]: len(entry["Instances"]) for entry in found}

    def study_of(self, series_uid: str) -> str:
        """StudyInstanceUID of a series."""
        for study in self.get("/studies?expand"):
            for name in study["Series"]:
                if self.get(f"/series/{name}")["MainDicomTags"]["SeriesInstanceUID"] == series_uid:
                    return str(study["MainDicomTags"]["StudyInstanceUID"])
        raise AssertionError("no such series")


@contextmanager
def running_orthanc(
    folder: Path,
    auth: bool = False,
    lua: Sequence[Path] = (),
    env: Mapping[str, str] | None = None,
    **settings: Any,
) -> Iterator[Orthanc]:
    """Orthanc with its images below `folder`, which is emptied of them in the end."""
    orthanc = Orthanc(folder, auth, lua, env or {}, settings)
    orthanc.start()
    try:
        yield orthanc
    finally:
        orthanc.stop()
        shutil.rmtree(folder / "storage", ignore_errors=True)
