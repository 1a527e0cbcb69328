"""The guard against patient data in what the software says, tried on software that says too much."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from monai_sr.errors import InputError
from tests.patient_data import Ear, named_patients


def raise_error():
    with pytest.raises(InputError):
        raise InputError("Doe^Jane cannot be read")


def log():
    # To the guard's own handler alone, since pytest's would have it in the report of this test.
    (ear,) = (handler for handler in logging.getLogger().handlers if isinstance(handler, Ear))
    ear.handle(logging.makeLogRecord({"msg": "%s is odd", "args": ("secret-id",)}))


def run_a_process():
    subprocess.run([sys.executable, "-c", "print('SECRET1')"], capture_output=True, text=True, check=True)


def run_a_command():
    app = typer.Typer()
    app.command()(lambda: print("PLANTED"))
    CliRunner().invoke(app)


@pytest.mark.parametrize("say", [raise_error, log, run_a_process, run_a_command])
def test_what_names_a_patient_is_heard(no_patient_data, say):
    assert not named_patients(no_patient_data)
    say()
    assert named_patients(no_patient_data)
    no_patient_data.clear()
