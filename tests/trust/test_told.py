"""What is found reaches whoever looks: in DICOM, in an archive's report and on the page."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from pydicom import dcmread
from torch import nn

from monai_sr.batch import plan, run_archive, run_job
from monai_sr.evaluate import bicubic
from monai_sr.io import open_volume
from monai_sr.report import write_report
from monai_sr.sample import sample_series_dir
from monai_sr.upscaler import Upscaler
from monai_sr.volume import Consistency
from tests.cli.commands import invoke


class Inventing(nn.Module):
    """Repeats pixels, and draws a bright square that no scan shows."""

    scale_factor = 2

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        finer = nn.functional.interpolate(image, scale_factor=2, mode="nearest-exact")
        finer[..., 40:60, 40:60] = 1
        return finer


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for name in ("0006.dcm", "0007.dcm"):
        shutil.copy(sample_series_dir() / name, folder)
    return folder


def upscaler(enforce=False):
    return Upscaler(Inventing(), kernel="binning", enforce=enforce)


def test_each_dicom_instance_tells_of_its_own_invention(source, tmp_path):
    written = run_job(upscaler(), plan(source, tmp_path / "out")[0])
    assert len(written.consistency) == 2
    for index, path in enumerate(sorted((tmp_path / "out").iterdir())):
        found = written.consistency[index]
        assert found.largest > 100
        assert f"degraded again (binning) it differs from its source by at most {found.largest:.3g}" in (
            dcmread(path).DerivationDescription
        )


def test_without_the_invention_it_says_so(source, tmp_path):
    run_job(upscaler(enforce=True), plan(source, tmp_path / "out")[0])
    for original, path in zip(open_volume(source).array, sorted((tmp_path / "out").iterdir()), strict=True):
        derived = dcmread(path)
        assert "by at most 0" in derived.DerivationDescription
        assert "in stored units, made to agree" in derived.DerivationDescription
        blocks = derived.pixel_array.reshape(len(original), 2, -1, 2)
        assert np.abs(blocks.mean((1, 3)) - original).max() <= 0.5


def test_an_archive_s_report_tells_of_each_series(source, tmp_path):
    run_archive(upscaler(), source, tmp_path / "out")
    (line,) = [json.loads(line) for line in (tmp_path / "out" / "report.jsonl").read_text().splitlines()]
    assert line["consistency"]["kernel"] == "binning"
    assert line["consistency"]["largest"] > line["consistency"]["rms"] > 1
    assert line["consistency"]["enforced"] is False


def test_the_page_tells_of_the_worst_slices(source, tmp_path):
    job = plan(source, tmp_path / "out")[0]
    written = run_job(upscaler(), job)
    options = {"interpolate": bicubic, "consistency": written.consistency}
    write_report(
        tmp_path / "page.html", job.read(), open_volume(job.destination), upscaler().provenance, **options
    )
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert str(Consistency.over(written.consistency.values())).capitalize() in page
    assert "Slices that agree least with their sources" in page
    for found in written.consistency.values():
        assert f"<td>{found.largest:.3g}</td><td>{found.rms:.3g}</td>" in page


def test_the_command_tells_and_can_be_asked_not_to(source, tmp_path):
    told = invoke("upscale", source, tmp_path / "a", "-b", "swift_srgan_mri")
    assert "Degraded again (kspace) it differs" in told.stdout
    quiet = invoke("upscale", source, tmp_path / "b", "-b", "swift_srgan_mri", "--consistency", "off")
    assert quiet.exit_code == 0
    assert "Degraded again" not in quiet.stdout
    assert "degraded again" not in dcmread(tmp_path / "b" / "00001.dcm").DerivationDescription
    agreeing = ("--consistency", "enforce")
    assert invoke("upscale", source, tmp_path / "c", "-b", "swift_srgan_mri", *agreeing).exit_code == 0
    # Other pixels are another image.
    identities = [dcmread(tmp_path / name / "00001.dcm").SOPInstanceUID for name in "abc"]
    assert identities[0] == identities[1] != identities[2]
