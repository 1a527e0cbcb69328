"""How the server starts, and how it ends with nothing left behind."""

from __future__ import annotations

import signal
import socket
import stat
import time
from pathlib import Path

import pytest

from tests.cli.commands import invoke, monai_sr, refused
from tests.integrations.web.running import Running

ONE = ("--bundle", "swift_srgan_mri")


def all_ended(folder) -> None:
    """Wait for the end of the processes whose environment names a folder for temporary files."""
    until = time.monotonic() + 30
    while left := processes_in(folder):
        assert time.monotonic() < until, left
        time.sleep(0.1)


def processes_in(folder) -> list[str]:
    """Process ids whose environment names a folder for temporary files."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(folder).encode() in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


def test_a_taken_port_and_an_unknown_host_are_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(monai_sr("app", *ONE, "--port", port), f"Port {port}", "--port 0")
    assert "no.such.host.invalid" in str(invoke("app", *ONE, "--host", "no.such.host.invalid").exception)


@pytest.mark.slow
def test_a_server_that_is_terminated_leaves_nothing(tmp_path, png, large_tiff):
    server = Running(tmp_path, *ONE, "--max-upload", "16M")
    (root,) = server.temporary.iterdir()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    ready, running = server.send((".png", png)), server.send((".tif", large_tiff))
    assert server.look(ready).status_code == 200
    assert server.look(running).status_code == 200
    server.start(running)
    server.wait(running, "working")
    assert server.kept()
    assert server.end(signal.SIGTERM) == 0
    assert list(server.temporary.iterdir()) == []
    all_ended(server.temporary)
    assert server.log.read_text().count("\n") == 3
    assert "Stopped; what was uploaded is deleted." in server.log.read_text()


@pytest.mark.slow
def test_a_killed_server_leaves_nothing(tmp_path, large_tiff):
    killed = Running(tmp_path, *ONE)
    running = killed.send((".tif", large_tiff))
    killed.look(running)
    killed.start(running)
    killed.wait(running, "working")
    assert killed.kept()
    killed.end(signal.SIGKILL)
    all_ended(killed.temporary)
    assert list(killed.temporary.iterdir()) == []


def test_an_interrupted_server_leaves_nothing(tmp_path, png):
    server = Running(tmp_path, *ONE)
    server.send((".png", png))
    assert server.kept()
    assert server.end(signal.SIGINT) == 0
    assert list(server.temporary.iterdir()) == []
    assert "Stopped; what was uploaded is deleted." in server.log.read_text()


def test_a_server_for_others_warns(tmp_path):
    server = Running(tmp_path, *ONE, "--host", "0.0.0.0")
    try:
        port = server.url.rpartition(":")[2]
        local = f"http://127.0.0.1:{port}"
        assert server.client.get(local, headers={"Origin": local}).status_code == 200
        assert server.client.get(local, headers={"Host": "evil.example"}).status_code == 421
        assert "no login" in server.log.read_text()
    finally:
        server.end()
