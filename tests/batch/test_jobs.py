from __future__ import annotations

import shutil

import numpy as np
import pydicom
import pytest
from torch import nn
from torch.nn import functional as F

from monai_sr import Upscaler, read_volume
from monai_sr.batch import plan, run_job
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io import dicom_writer
from monai_sr.sample import sample_dataset_dir, sample_series_dir
from monai_sr.trust import Findings

NIFTI = sample_dataset_dir() / "nifti" / "mni152_test.nii.gz"
SMALL = sample_dataset_dir() / "dicom" / "mr_small" / "MR_small.dcm"


class Nearest(nn.Module):
    scale_factor = 2

    def forward(self, x):
        return F.interpolate(x, scale_factor=2, mode="nearest-exact")


@pytest.fixture
def upscaler():
    return Upscaler(Nearest())


@pytest.fixture
def series(tmp_path):
    """A folder of the first two slices of the embedded series."""
    folder = tmp_path / "series"
    folder.mkdir()
    for file in sorted(sample_series_dir().glob("*.dcm"))[:2]:
        shutil.copy(file, folder)
    return folder


@pytest.fixture
def two_series(series):
    """A folder that holds two series."""
    shutil.copy(SMALL, series)
    return series


def assert_upscaled(source, destination):
    low, high = read_volume(source), read_volume(destination)
    np.testing.assert_array_equal(high.array, low.array.repeat(2, 1).repeat(2, 2))
    # The centre of the field of view stays where it is.
    centers = [v.affine @ [*(np.array(v.array.shape[1:]) / 2 - 0.5), 0, 1] for v in (low, high)]
    np.testing.assert_allclose(*centers, atol=1e-4)


def test_a_folder_of_one_series_becomes_one_folder(upscaler, series, tmp_path):
    (job,) = plan(series, tmp_path / "out")
    assert job.destination == tmp_path / "out"
    run_job(upscaler, job)
    assert_upscaled(series, tmp_path / "out")
    made = pydicom.dcmread(next((tmp_path / "out").iterdir()))
    assert made.SeriesInstanceUID != pydicom.dcmread(next(series.iterdir())).SeriesInstanceUID


def test_each_of_several_series_gets_a_folder(upscaler, two_series, tmp_path):
    jobs = plan(two_series, tmp_path / "out")
    assert [job.destination.name for job in jobs] == ["series_0001", "series_0002"]
    for job in jobs:
        run_job(upscaler, job)
    frames = [len(read_volume(job.destination).array) for job in jobs]
    assert sorted(frames) == [1, 2]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["series_0001", "series_0002"]


def test_one_series_of_several_can_be_chosen(upscaler, two_series, tmp_path):
    uid = pydicom.dcmread(SMALL).SeriesInstanceUID
    (job,) = plan(two_series, tmp_path / "out", series=uid)
    run_job(upscaler, job)
    assert_upscaled(SMALL, tmp_path / "out")
    with pytest.raises(InputError, match="does not hold the chosen series"):
        plan(two_series, tmp_path / "out", series="1.2.3")[0].read()


def test_a_series_cannot_be_chosen_in_a_file(tmp_path):
    with pytest.raises(InputError, match="no series to choose from"):
        plan(NIFTI, tmp_path / "out.nii.gz", series="1.2.3")[0].read()


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        (NIFTI, "fine.nii.gz", "fine.nii.gz"),
        (NIFTI, "out", "out/mni152_test.nii.gz"),
        (NIFTI, "there.d", "there.d/mni152_test.nii.gz"),
        (SMALL, "fine.dcm", "fine.dcm"),
        (SMALL, "out", "out"),
    ],
)
def test_where_a_file_goes(source, destination, expected, tmp_path):
    (tmp_path / "there.d").mkdir()
    (job,) = plan(source, tmp_path / destination)
    assert job.destination == tmp_path / expected


@pytest.mark.parametrize(("source", "destination"), [(SMALL, "fine.dcm"), (SMALL, "out")])
def test_a_file_is_upscaled(upscaler, source, destination, tmp_path):
    (job,) = plan(source, tmp_path / destination)
    run_job(upscaler, job)
    assert_upscaled(source, job.destination)


def test_nothing_to_upscale_is_refused(tmp_path):
    with pytest.raises(InputError, match="missing does not exist"):
        plan(tmp_path / "missing", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no DICOM image"):
        plan(tmp_path / "empty", tmp_path / "out")


@pytest.fixture
def idle(upscaler, monkeypatch):
    """An upscaler that must not be asked."""
    monkeypatch.setattr(upscaler, "stream", lambda *given: pytest.fail("work was begun"))
    return upscaler


def test_an_output_that_is_taken_is_refused_before_any_work(idle, series, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        run_job(idle, plan(series, out)[0])
    assert (out / "notes.txt").read_text() == "mine"


def test_intervals_of_an_earlier_output_are_not_left_beside_another(idle, series, tmp_path):
    (tmp_path / "out.interval").mkdir()
    with pytest.raises(
        InputError, match=r"out\.interval holds intervals of an earlier output.*move it or choose another"
    ):
        run_job(idle, plan(series, tmp_path / "out")[0], overwrite=True)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(idle, series, tmp_path, monkeypatch):
    # Root, as whom these tests may run, may write into any folder of a disk that can be written.
    monkeypatch.setattr("monai_sr.io.atomic.os.access", lambda path, mode: False)
    with pytest.raises(InputError, match="cannot be written to; choose another output"):
        run_job(idle, plan(series, tmp_path / "out")[0])


def test_overwriting_replaces_an_earlier_output(upscaler, series, tmp_path):
    (job,) = plan(series, tmp_path / "out")
    run_job(upscaler, job)
    before = {path.name: path.read_bytes() for path in job.destination.iterdir()}
    run_job(upscaler, job, overwrite=True)
    assert {path.name: path.read_bytes() for path in job.destination.iterdir()} == before


def test_nothing_is_left_when_the_network_fails(series, tmp_path):
    class Broken(Nearest):
        def forward(self, x):
            return super().forward(x) * float("nan")

    with pytest.raises(MonaiSRError, match="not finite"):
        run_job(Upscaler(Broken()), plan(series, tmp_path / "out")[0])
    assert [path.name for path in tmp_path.iterdir()] == ["series"]


def test_nothing_is_left_when_the_disk_fails(upscaler, series, tmp_path, monkeypatch):
    written = []

    def fail_at_the_second(file, *args, **kwargs):
        if written:
            raise OSError(28, "No space left on device")
        written.append(file)
        pydicom.dcmwrite(file, *args, **kwargs)

    monkeypatch.setattr(dicom_writer, "dcmwrite", fail_at_the_second)
    with pytest.raises(MonaiSRError, match="No space left"):
        run_job(upscaler, plan(series, tmp_path / "out")[0])
    assert written
    assert [path.name for path in tmp_path.iterdir()] == ["series"]


def test_progress_is_passed_on(upscaler, series, tmp_path):
    told = []
    run_job(
        upscaler, plan(series, tmp_path / "out")[0], progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 2), (2, 2)]


class TestDerived:
    @pytest.fixture
    def derived(self, upscaler, series, tmp_path):
        run_job(upscaler, plan(series, tmp_path / "derived")[0])
        return tmp_path / "derived"

    def test_what_was_made_here_is_refused_unless_wanted(self, upscaler, derived, tmp_path):
        for source in (derived, derived / "00001.dcm"):
            (job,) = plan(source, tmp_path / "again")
            with pytest.raises(InputError, match=r"derived.* holds what monai-sr made.*--include-derived"):
                run_job(upscaler, job)
            assert not (tmp_path / "again").exists()
        (job,) = plan(derived, tmp_path / "again", include_derived=True)
        assert run_job(upscaler, job).frames == 2

    def test_beside_others_it_is_refused_before_any_is_computed(self, derived, series, tmp_path):
        shutil.move(derived, series / "derived")
        with pytest.raises(InputError, match="among others, a series that monai-sr made"):
            plan(series, tmp_path / "out")
        assert len(plan(series, tmp_path / "out", include_derived=True)) == 2
        uid = pydicom.dcmread(sorted(series.glob("*.dcm"))[0]).SeriesInstanceUID
        assert plan(series, tmp_path / "out", uid)[0].read().acquisition.is_derived is False


def test_what_was_found_is_told_and_written(series, tmp_path):
    class Finding:
        def __call__(self, volume, intensity_range):
            return Findings(("pixel spacing 9 mm",), "kspace does not fit")

    upscaler = Upscaler(Nearest(), guard=Finding())
    job = plan(series, tmp_path / "out")[0]
    assert run_job(upscaler, job).findings == ("pixel spacing 9 mm", "kspace does not fit")
    said = pydicom.dcmread(tmp_path / "out" / "00001.dcm").DerivationDescription
    assert said.endswith("; pixel spacing 9 mm; kspace does not fit")
