from __future__ import annotations

import re
import subprocess
import sys

from tests.bundles.commands import ROOT


def test_a_batch_that_is_killed_at_random_moments_ends_as_an_undisturbed_one():
    command = [sys.executable, "-m", "scripts.kill_batch", "--series", "40", "--kills", "6"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert "undisturbed: {'done': 44, 'refused': 4}" in result.stdout
    assert int(re.search(r"'kills': (\d)", result.stdout)[1]) >= 4
