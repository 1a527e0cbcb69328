"""The command as a user calls it, and what a refusal looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from typer.testing import CliRunner

from monai_sr.cli import app
from monai_sr.errors import InputError


def monai_sr(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monai_sr", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | {"COLUMNS": "200"} | env,
    )


def invoke(*arguments: object):
    """A command in this process, for what needs no other; a mistake is the result's exception."""
    return CliRunner().invoke(app, [*map(str, arguments)])


def refuses(arguments: Sequence[object], *said: str) -> None:
    """Whether a command is refused, in this process: `refused` of one tells that the rest is made of it."""
    error = invoke(*arguments).exception
    assert isinstance(error, InputError), repr(error)
    assert "\n" not in str(error)
    for text in said:
        assert text in str(error)


def told(stderr: str) -> list[str]:
    """What a command told, but for the warning that the sample is smoother than the training images."""
    return [line for line in stderr.splitlines() if "is not like what the bundle was trained on" not in line]


def refused(result: subprocess.CompletedProcess[str], *said: str, code: int = 2) -> None:
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    (line,) = told(result.stderr)
    assert line.startswith("Error: ")
    for text in said:
        assert text in line
