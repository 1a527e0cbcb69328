"""Whatever the software says during a test is searched for the patients that the tests plant.

Every error that it raises, every log record, what tests and commands print, in this process and in others:
a test in which one of these names a planted patient fails, whatever it is about.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Generator, Iterator

import pytest
from typer.testing import CliRunner

from monai_sr.errors import MonaiSRError

PLANTED = ("Doe^Jane", "Jane", "secret-id", "SECRET1", "PLANTED", "Jörg")
"""Names and identifiers that tests put into images, and into nothing else."""


class Ear(logging.Handler):
    """Collects what was said."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


def named_patients(texts: list[str]) -> list[str]:
    """The planted values that are in any of the texts."""
    return [value for value in PLANTED if any(value in text for text in texts)]


@pytest.fixture(autouse=True)
def no_patient_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Listen for the time of a test, and fail it for what must not be said; yields what was heard."""
    ear = Ear()
    raised, ran, invoked = MonaiSRError.__init__, subprocess.run, CliRunner.invoke

    def on_error(self: MonaiSRError, *arguments: object) -> None:
        ear.heard.extend(map(str, arguments))
        raised(self, *arguments)

    def on_run(command: list[object], *arguments: object, **options: object) -> object:
        result = ran(command, *arguments, **options)
        if command[0] == sys.executable:
            ear.heard.extend(str(text) for text in (result.stdout, result.stderr) if text)
        return result

    def on_invoke(self: CliRunner, *arguments: object, **options: object) -> object:
        result = invoked(self, *arguments, **options)
        ear.heard.append(result.output)
        return result

    monkeypatch.setattr(MonaiSRError, "__init__", on_error)
    monkeypatch.setattr(subprocess, "run", on_run)
    monkeypatch.setattr(CliRunner, "invoke", on_invoke)
    logging.getLogger().addHandler(ear)
    yield ear.heard
    logging.getLogger().removeHandler(ear)
    assert not named_patients(ear.heard), "a planted patient was named in an error, a log or an output"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that printed a planted patient."""
    report = yield
    if report.passed and named_patients([text for _, text in report.sections]):
        report.outcome = "failed"
        report.longrepr = "a planted patient was named in what was printed"
    return report
