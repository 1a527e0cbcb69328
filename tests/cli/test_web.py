"""`app`: what it refuses before it serves; tests/integrations/web has the rest."""

from __future__ import annotations

import shutil
import sys

import pytest

from monai_sr.bundle import find_bundle
from monai_sr.errors import InputError
from tests.cli.commands import invoke


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--bundle", "nothing"), "edsr_mri"),
        (("--max-upload", "much"), "1.5G"),
        (("--memory", "much"), "1.5G"),
        (("--device", "tpu"), "tpu"),
    ],
)
def test_mistakes_are_refused(options, said):
    error = invoke("app", *options).exception
    assert isinstance(error, InputError)
    assert said in str(error)


def test_a_bundle_from_elsewhere_needs_trust(tmp_path):
    copy = shutil.copytree(find_bundle("edsr_mri").root, tmp_path / "bundle")
    config = copy / "configs" / "inference.json"
    config.write_text(config.read_text() + "\n")
    assert "--trust" in str(invoke("app", "--bundle", copy).exception)


def test_what_is_not_installed_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("monai_sr.integrations.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    error = invoke("app", "--bundle", "swift_srgan_mri").exception
    assert isinstance(error, InputError)
    assert "pip install 'monai-sr[app]'" in str(error)
