"""A real MONAI Label server for the tests, and a client of it."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_environment
from tests.integrations.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
APP = ROOT / "monai_sr" / "integrations" / "monailabel"
START = 120.0
"""Seconds that a server may take to start."""


def environment() -> Path:
    return find_environment("MONAI_SR_MONAILABEL_ENV", "scripts/setup_monailabel.sh")


@dataclass(frozen=True)
class Answer:
    """What a server says: the status, and the body."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    log: Path
    home: Path

    def ask(
        self,
        method: str,
        path: str,
        *,
        file: Path | None = None,
        field: str = "file",
        params: Any = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout: float = 300,
    ) -> Answer:
        """A request: `file` and `params` as a form, or `body` as JSON."""
        data, of_data = None, {}
        if body is not None:
            data, of_data = json.dumps(body).encode(), {"Content-Type": "application/json"}
        elif file is not None or params is not None:
            data, of_data = _form(file, field, params)
        request = urllib.request.Request(self.url + path, data, of_data | (headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return Answer(response.status, response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read())

    def infer(self, model: str, target: Path, query: str = "", **options: Any) -> Path:
        """The image that a model gives, in a file."""
        answer = self.ask("POST", f"/infer/{model}?output=image&{query}", **options)
        assert answer.status == 200, answer.body
        target.write_bytes(answer.body)
        return target


def _form(file: Path | None, field: str, params: Any) -> tuple[bytes, dict[str, str]]:
    boundary = uuid.uuid4().hex
    parts = []
    if params is not None:
        text = params if isinstance(params, str) else json.dumps(params)
        parts.append(b'Content-Disposition: form-data; name="params"\r\n\r\n' + text.encode())
    if file is not None:
        head = f'Content-Disposition: form-data; name="{field}"; filename="{file.name}"\r\n\r\n'
        parts.append(head.encode() + file.read_bytes())
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    return body + f"--{boundary}--\r\n".encode(), {
        "Content-Type": f"multipart/form-data; boundary={boundary}"
    }


@contextmanager
def running_server(
    folder: Path, app: Path, studies: str | Path, settings: Mapping[str, str] | None = None, **conf: str
) -> Iterator[Server]:
    """`monailabel start_server` on a free port, in an environment that the set-up script made."""
    bin_folder = environment() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [bin_folder / "monailabel", "start_server", "--app", app, "--studies", studies]
    command += ["--host", "127.0.0.1", "--port", port]
    for name, value in conf.items():
        command += ["--conf", name, value]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MONAI_LABEL_")}
    env |= {f"MONAI_LABEL_{name}": value for name, value in (settings or {}).items()} | {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder / "home"),
        "OMP_NUM_THREADS": "1",
    }
    server = Server(f"http://127.0.0.1:{port}", folder / "server.log", folder / "home")
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + START
        while True:
            try:
                server.ask("GET", "/openapi.json", timeout=5)
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail("MONAI Label did not start: " + server.log.read_text()[-3000:])
                time.sleep(0.3)
        yield server
    finally:
        process.terminate()
        process.wait(30)
