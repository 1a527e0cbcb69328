"""What a server leaves behind."""

import tempfile
import time
from pathlib import Path

import pytest

from monai_sr.io.temporary import PREFIX
from tests.integrations.monailabel.images import write_nifti
from tests.integrations.monailabel.serving import APP, running_server

pytestmark = pytest.mark.slow


def test_what_was_sent_goes_with_the_server(tmp_path):
    sent = write_nifti(tmp_path / f"{tmp_path.name}.nii.gz")
    earlier = set(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))

    def kept():
        return [
            path
            for folder in set(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")) - earlier
            for path in folder.glob(f"sessions/*/{sent.name}")
        ]

    studies = tmp_path / "studies"
    studies.mkdir()
    with running_server(tmp_path / "server", APP, studies, models="swift_srgan_mri") as server:
        assert server.ask("PUT", "/session/", file=sent, field="files").status == 200
        found = kept()
        assert len(found) == 1
    folder = found[0].parents[2]
    deadline = time.monotonic() + 20
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not folder.exists()
    assert kept() == []
