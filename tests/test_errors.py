"""Errors as a user sees them where the program is not ours."""

import subprocess
import sys


def run(code):
    program = f"from monai_sr.errors import *\nexplain_mistakes()\n{code}"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_a_mistake_is_one_sentence_whatever_it_is_wrapped_in():
    code = """
try:
    raise InputError("scan.png is empty; export it again")
except InputError as error:
    raise RuntimeError("Failed to evaluate ConfigExpression") from error
"""
    result = run(code)
    assert result.returncode == 1
    assert result.stderr == "Error: scan.png is empty; export it again\n"


def test_any_other_error_keeps_its_traceback():
    result = run("1 / 0")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError" in result.stderr
