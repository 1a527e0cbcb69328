"""What is found reaches whoever looks: in DICOM, in an archive's report and on the page."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from pydicom import dcmread
from torch import nn

from monai_sr.batch import plan, run_archive, run_job
from monai_sr.bundle import find_bundle
from monai_sr.evaluate import bicubic
from monai_sr.io import interval_path, open_volume, read_intervals
from monai_sr.report import write_report
from monai_sr.sample import sample_series_dir
from monai_sr.trust import IntervalEstimator
from monai_sr.upscaler import Upscaler
from monai_sr.volume import Consistency
from tests.cli.commands import invoke
from tests.report.report_page import ReportPage

PLACE = 180, 150
"""Of what is planted: its first row and column, in tissue."""


class Inventing(nn.Module):
    """Repeats pixels, and draws a bright square that no scan shows."""

    scale_factor = 2

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        finer = nn.functional.interpolate(image, scale_factor=2, mode="nearest-exact")
        finer[..., 40:60, 40:60] = 1
        return finer


class Planting(nn.Module):
    """Enlarges, and adds something to a square of the first frame that it gets."""

    scale_factor = 2

    def __init__(self, amount: float, side: int, mode: str) -> None:
        super().__init__()
        self.amount, self.side, self.mode = amount, side, mode

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        finer = nn.functional.interpolate(image, scale_factor=2, mode=self.mode)
        row, column = PLACE
        finer[0, 0, row : row + self.side, column : column + self.side] += self.amount
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
    assert line["interval"] is None
    run_archive(Upscaler(Planting(0, 1, "nearest-exact"), kernel="binning"), source, tmp_path / "honest")
    honest = json.loads((tmp_path / "honest" / "report.jsonl").read_text())
    assert (honest["consistency"]["largest"], honest["consistency"]["rms"]) == (0, 0)


@pytest.mark.parametrize("enforce", [False, True])
def test_the_page_tells_of_each_slice(browser, source, tmp_path, enforce):
    job = plan(source, tmp_path / "out")[0]
    written = run_job(upscaler(enforce), job)
    options = {"interpolate": bicubic, "consistency": written.consistency}
    path = tmp_path / "page.html"
    write_report(path, job.read(), open_volume(job.destination), upscaler().provenance, **options)
    opened = ReportPage(browser, path)
    assert str(Consistency.over(written.consistency.values())).capitalize() in opened.page.inner_text("main")
    assert "degraded again (binning)" in opened.page.inner_text(".scores caption")
    rows = [row.locator("th, td").all_inner_texts() for row in opened.page.locator(".scores tbody tr").all()]
    assert sorted(rows) == [
        [str(index + 1), f"{found.largest:.3g}", f"{found.rms:.3g}", "yes" if enforce else "no"]
        for index, found in written.consistency.items()
    ]
    assert all((float(largest) > 100) != enforce for _, largest, _, _ in rows)
    assert opened.text("label") == "Slice 2 of 2"
    assert opened.text("note") == f"{str(written.consistency[1]).capitalize()}."
    opened.context.close()


def test_a_pixel_far_off_raises_what_dicom_tells(source, tmp_path):
    """Of two runs that differ in one finer pixel, one tells of larger differences, in that slice alone."""
    told = {}
    for name, amount in (("honest", 0.0), ("planted", -0.4)):
        run_job(
            Upscaler(Planting(amount, 1, "nearest-exact"), kernel="binning"),
            plan(source, tmp_path / name)[0],
        )
        descriptions = [dcmread(path).DerivationDescription for path in sorted((tmp_path / name).iterdir())]
        found = [re.search(r"at most ([\d.e+]+), RMS ([\d.e+]+),", text).groups() for text in descriptions]
        told[name] = np.array(found, float)
    assert (told["honest"][:, 0] == 0).all()
    assert told["planted"][1].tolist() == [0, 0]
    # One of the four finer pixels of a coarse one is off by 0.4 of the range.
    span = np.ptp(np.asarray(open_volume(source).array).astype(int))
    assert told["planted"][0, 0] == pytest.approx(0.1 * span, rel=0.02)
    assert told["planted"][0, 1] > 0


def test_the_interval_is_wide_where_something_small_was_planted(browser, source, tmp_path):
    """By the head and calibration of a released bundle: in the Parametric Map, and on the page."""
    estimator = IntervalEstimator.from_card(*find_bundle("edsr_mri").interval_head(2))
    there = [(PLACE[0] + row, PLACE[1] + column) for row in range(4) for column in range(4)]
    beside = [(row + 16, column + 16) for row, column in there]
    widths, colours = {}, {}
    for name, amount in (("planted", 0.4), ("honest", 0.0)):
        job = plan(source, tmp_path / name)[0]
        made = Upscaler(Planting(amount, 4, "bicubic"), uncertainty=estimator)
        written = run_job(made, job)
        finer = open_volume(job.destination)
        half_width = read_intervals(finer, interval_path(job.destination))
        for frame, path in zip(half_width, sorted((tmp_path / name).iterdir()), strict=True):
            told = re.search(r"is \+- ([\d.e+]+) in the median", dcmread(path).DerivationDescription)[1]
            assert float(told) == pytest.approx(np.median(frame), rel=0.01)
        page = tmp_path / f"{name}.html"
        options = {"interval": written.interval, "half_width": half_width, "interpolate": bicubic}
        write_report(page, job.read(), finer, made.provenance, **options)
        opened = ReportPage(browser, page)
        assert str(written.interval).capitalize() in opened.page.inner_text("main")
        opened.page.locator("#slice").press("Home")
        expect(opened.page.locator("#label")).to_have_text("Slice 1 of 2")
        opened.drawn()
        places = [there, beside]
        widths[name] = [np.median([half_width[0][place] for place in part]) for part in places]
        shape = half_width.shape[1:]
        points = [opened.points("interval", shape, part) for part in places]
        colours[name] = [np.median(opened.colours("interval", part).sum(axis=1)) for part in points]
        opened.context.close()
    assert widths["planted"][0] > 2 * widths["honest"][0]
    assert widths["planted"][1] == pytest.approx(widths["honest"][1], rel=0.05)
    assert colours["planted"][0] > colours["honest"][0] + 100
    assert colours["planted"][1] == pytest.approx(colours["honest"][1], abs=30)


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
