"""What every command has: help, one clear sentence for each mistake, trust."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monai_sr.bundle import bundle_folders
from monai_sr.errors import InputError
from monai_sr.sample import sample_series_dir
from tests.cli.commands import invoke, monai_sr, refused, refuses


def test_version_and_help():
    assert monai_sr("--version").stdout.startswith("monai-sr 0.")
    shown = monai_sr("--help").stdout
    assert all(command in shown for command in ("upscale", "show", "evaluate", "bundles", "split", "blend"))


def test_mistakes_are_answered_in_one_sentence(tmp_path):
    output = tmp_path / "out"
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(monai_sr("upscale", tmp_path / "nowhere", output), "nowhere", "does not exist")
    refuses(("upscale", empty, output), "empty", "no DICOM")
    series = sample_series_dir()
    refuses(("upscale", series, output, "--bundle", "nothing"), "nothing", "edsr_mri")
    refuses(("upscale", series, output, "--scale-factor", "8"), "scale factor 8", "2, 4")
    refuses(("upscale", series, output, "--weights", tmp_path / "none.pt"), "none.pt")
    refuses(("upscale", series, output, "--device", "tpu"), "tpu")
    full = tmp_path / "full"
    full.mkdir()
    (full / "note").write_text("mine")
    refuses(("upscale", series, full), "full", "not empty")
    assert (full / "note").read_text() == "mine"
    assert not output.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


def test_a_bundle_from_elsewhere_runs_only_when_trusted(tmp_path, monkeypatch):
    """By its folder, and by a name that a folder named `bundles` here takes over."""
    folder = tmp_path / "bundles" / "edsr_mri"
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "metadata.json").write_text('{"name": "edsr_mri", "version": "1"}')
    ran = tmp_path / "ran"
    config = {"scale_factor": 2, "network_def": f"$__import__('pathlib').Path({str(ran)!r}).touch()"}
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    source, out = sample_series_dir(), tmp_path / "out"
    weights = bundle_folders()["srgan_mri"] / "models" / "model.pt"
    for named in (folder, "edsr_mri"):
        for command in (
            ("upscale", source, out, "--bundle", named),
            ("upscale", source, out, "--bundle", named, "--recursive"),
            ("show", source, tmp_path / "slice.png", "--bundle", named),
            ("evaluate", out, "--bundle", named),
            ("export", named, tmp_path / "model.onnx"),
        ):
            result = invoke(*command)
            assert isinstance(result.exception, InputError)
            assert "did not come with monai-sr" in str(result.exception)
            assert "--trust" in str(result.exception)
        assert not ran.exists()
    result = invoke("upscale", source, out, "--bundle", folder, "--weights", weights, "--trust")
    assert "no network" in str(result.exception)
    assert ran.exists()
    assert not out.exists()


def test_the_path_of_a_bundle_is_not_cut(tmp_path, monkeypatch):
    root = tmp_path / ("a_long_name_" * 8) / "bundles" / "tiny"
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "metadata.json").write_text('{"name": "tiny", "version": "1.2.3"}')
    monkeypatch.chdir(root.parents[1])
    assert str(root) in invoke("bundles").stdout


def hit_while_writing(output: Path, number: signal.Signals, *before: str) -> int:
    """What a command returns that gets a signal while it writes."""
    command = [*before, sys.executable, "-m", "monai_sr", "upscale", str(sample_series_dir()), str(output)]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # As in a terminal: the tests themselves may run under nohup.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 120
        while not list(output.parent.glob(".partial-*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert list(output.parent.glob(".partial-*"))
        process.send_signal(number)
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_command_leaves_nothing_half_written(tmp_path, number):
    assert hit_while_writing(tmp_path / "finer", number) == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_nohup_lets_a_command_go_on_when_its_terminal_is_closed(tmp_path):
    assert hit_while_writing(tmp_path / "finer", signal.SIGHUP, "nohup") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["finer"]
