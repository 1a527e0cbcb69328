from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from monai_sr.batch import archive as archive_module
from monai_sr.batch import plan, run_archive, run_job
from monai_sr.batch.archive import plan_archive
from monai_sr.errors import InputError
from monai_sr.io import dicom_writer

RECORDS = ("report.jsonl", "batch.json", ".begun")


@pytest.fixture
def archive(add_series, tmp_path):
    """Two series in one folder, and a PNG."""
    folder = tmp_path / "archive"
    add_series(folder / "scans", series=5)
    add_series(folder / "scans", series=6, count=1)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(folder / "image.png")
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def contents(folder):
    """Bytes of everything but the records, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in RECORDS
    }


def facts(lines):
    return sorted(repr([line[key] for key in ("status", "output", "sources", "files")]) for line in lines)


def by_source(lines):
    return {line["sources"][0]: line for line in lines}


def test_each_series_is_one_job_wherever_its_files_lie(add_series, tmp_path):
    add_series(tmp_path / "mixed", series=5)
    add_series(tmp_path / "mixed", tmp_path / "far" / "away", series=6)
    (tmp_path / "mixed" / "notes.txt").write_text("mine")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    jobs, others = plan_archive(tmp_path, tmp_path / "out")
    assert [(job.sources, job.files) for job in jobs] == [(("mixed",), 2), (("far/away", "mixed"), 2)]
    assert others == 1


def test_a_name_depends_on_the_series_alone_and_holds_nothing_of_it(add_series, tmp_path, out):
    paths = add_series(tmp_path / "one", series=6)
    add_series(tmp_path / "two" / "deep", series=5)
    add_series(tmp_path / "two" / "other", series=6, count=1)
    (alone,), _ = plan_archive(tmp_path / "one", out)
    (other, among), _ = plan_archive(tmp_path / "two", out)
    assert alone.name == among.name != other.name
    assert alone.destination == out / alone.name
    assert pydicom.dcmread(paths[0]).SeriesInstanceUID not in alone.name


def test_series_without_uids_get_names_of_their_own(add_series, tmp_path, out):
    def edit(image, index):
        del image.SeriesInstanceUID

    add_series(tmp_path / "a", tmp_path / "b", edit=edit)
    (first, second), _ = plan_archive(tmp_path, out)
    assert first.name != second.name


def test_what_is_upscaled_is_the_same_as_alone(repeating, archive, out, report, tmp_path):
    (archive / "deep").mkdir()
    (archive / "image.png").rename(archive / "deep" / "image.png")
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 2), np.int16), np.eye(4)), archive / "scan.nii.gz")
    Image.new("L", (8, 8)).save(archive / "preview.jpg")
    told = []
    summary = run_archive(
        repeating, archive, out, on_outcome=lambda outcome, total: told.append((outcome.status, total))
    )
    assert (dict(summary.counts), summary.others) == ({"done": 4}, 1)
    assert told == [("done", 4)] * 4
    lines = report(out)
    assert [(line["sources"], line["files"], line["images"]) for line in lines] == [
        (["scans"], 2, 2),
        (["scans"], 1, 1),
        (["scan.nii.gz"], 1, 2),
        (["deep/image.png"], 1, 1),
    ]
    assert {line["weights_sha256"] for line in lines} == {"ab" * 32}
    assert {(line["bundle"], line["scale_factor"]) for line in lines} == {("repeating", 2)}
    for name in ("deep/image.png", "scan.nii.gz"):
        run_job(repeating, plan(archive / name, tmp_path / "alone" / "files" / name)[0])
    for line, job in zip(lines, plan(archive / "scans", tmp_path / "series"), strict=False):
        run_job(repeating, job)
        (tmp_path / "alone").mkdir(exist_ok=True)
        job.destination.rename(tmp_path / "alone" / line["output"])
    assert contents(out) == contents(tmp_path / "alone")


def test_one_bad_image_stops_no_other(repeating, archive, add_series, out, report, monkeypatch):
    add_series(archive / "full", series=7)
    add_series(archive / "surprise", series=8)
    add_series(archive / "sizes", series=9, count=1)
    add_series(archive / "sizes" / "b", series=9, size=10)[0].unlink()
    cut, _ = add_series(archive / "cut", series=10)
    cut.write_bytes(cut.read_bytes()[: cut.read_bytes().index(b"\x28\x00\x02\x00")])
    (archive / "unknown.dcm").write_text("not DICOM")
    write, stream = dicom_writer.dcmwrite, repeating.stream

    def fill_the_disk(file, dataset, **options):
        if dataset.SeriesNumber == 2007:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, dataset, **options)

    def surprise(volume, progress=None):
        if volume.path.name == "surprise":
            raise KeyError("Doe^Jane")
        return stream(volume, progress)

    monkeypatch.setattr(dicom_writer, "dcmwrite", fill_the_disk)
    monkeypatch.setattr(repeating, "stream", surprise)
    summary = run_archive(repeating, archive, out)
    assert dict(summary.counts) == {"done": 3, "refused": 3, "failed": 2}
    lines = by_source(report(out))
    assert len(report(out)) == 8
    for source, status, reason in (
        ("full", "failed", "No space left on device"),
        ("surprise", "failed", "KeyError in test_archive.py, line"),
        ("sizes", "refused", f"{archive / 'sizes'} mixes images of different sizes"),
        ("cut", "refused", f"{cut} is damaged"),
        ("unknown.dcm", "refused", "unknown.dcm does not begin as"),
    ):
        assert lines[source]["status"] == status
        assert lines[source]["output"] is None
        assert reason in lines[source]["reason"]
    assert lines["cut"]["name"].startswith("series_")
    assert "Doe" not in (out / "report.jsonl").read_text()
    assert len([path for path in out.iterdir() if path.name not in RECORDS]) == 3


def test_what_was_upscaled_before_is_upscaled_again_only_when_asked(repeating, archive, tmp_path, report):
    first, out = tmp_path / "first", tmp_path / "second"
    run_archive(repeating, archive, first)
    shutil.rmtree(first / "files")
    summary = run_archive(repeating, first, out)
    assert dict(summary.counts) == {"skipped": 2}
    assert all("--include-derived" in line["reason"] for line in report(out))
    assert dict(run_archive(repeating, first, out, resume=True, include_derived=True).counts) == {"done": 2}
    assert [line["status"] for line in report(out)] == ["done"] * 2


def test_a_second_run_does_what_is_new_and_what_was_refused(
    repeating, archive, add_series, out, report, tmp_path
):
    bad = archive / "bad.dcm"
    bad.write_text("not DICOM")
    run_archive(repeating, archive, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.suffix in (".dcm", ".png")}
    add_series(archive / "new", series=7)
    assert dict(run_archive(repeating, archive, out, resume=True).counts) == {
        "skipped": 3,
        "done": 1,
        "refused": 1,
    }
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())
    bad.unlink()
    run_archive(repeating, archive, out, resume=True)
    run_archive(repeating, archive, tmp_path / "undisturbed")
    assert contents(out) == contents(tmp_path / "undisturbed")
    assert facts(report(out)) == facts(report(tmp_path / "undisturbed"))


def test_a_series_that_gained_a_file_is_done_again(repeating, archive, add_series, out, report, tmp_path):
    run_archive(repeating, archive, out)
    add_series(archive / "scans", series=6, count=3)
    assert dict(run_archive(repeating, archive, out, resume=True).counts) == {"skipped": 2, "done": 1}
    run_archive(repeating, archive, out, resume=True)
    run_archive(repeating, archive, tmp_path / "undisturbed")
    assert contents(out) == contents(tmp_path / "undisturbed")
    assert facts(report(out)) == facts(report(tmp_path / "undisturbed"))


def test_what_is_done_stays_when_its_source_goes(repeating, archive, out, report):
    run_archive(repeating, archive, out)
    before = contents(out)
    (archive / "image.png").unlink()
    assert dict(run_archive(repeating, archive, out, resume=True).counts) == {"skipped": 2}
    assert contents(out) == before
    assert len(report(out)) == 3


@pytest.mark.parametrize("moment", ["working", "written"])
def test_an_interrupted_batch_is_in_order_and_goes_on(
    repeating, archive, out, report, tmp_path, monkeypatch, moment
):
    def interrupt(upscaler, job, overwrite):
        images = run_job(upscaler, job, overwrite) if moment == "written" else None
        if "files" in job.name or moment == "written":
            raise KeyboardInterrupt
        return images or run_job(upscaler, job, overwrite)

    monkeypatch.setattr(archive_module, "run_job", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_archive(repeating, archive, out)
    assert [line["status"] for line in report(out)] == ["done"] * (1 if moment == "written" else 2)
    assert {name.split("/")[0] for name in contents(out)} == {line["output"] for line in report(out)}
    monkeypatch.undo()
    run_archive(repeating, archive, out, resume=True)
    run_archive(repeating, archive, tmp_path / "undisturbed")
    assert contents(out) == contents(tmp_path / "undisturbed")
    assert facts(report(out)) == facts(report(tmp_path / "undisturbed"))


def run_until(step, upscaler, archive, out):
    """Run a batch in a process of its own, which kills itself before its `step`-th change of the disk."""
    steps = 0

    def deadly(function):
        def call(*args, **options):
            nonlocal steps
            steps += 1
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **options)

        return call

    def run():
        for name in ("fsync", "mkdir", "rename", "replace", "rmdir", "unlink"):
            setattr(os, name, deadly(getattr(os, name)))
        run_archive(upscaler, archive, out, resume=True)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    return process.exitcode


def test_a_kill_at_any_step_loses_nothing_and_does_nothing_twice(
    repeating, archive, add_series, out, report, tmp_path
):
    (archive / "scans" / "IM5_1").unlink()
    run_archive(repeating, archive, tmp_path / "undisturbed")
    expected = contents(tmp_path / "undisturbed")
    step = 0
    while True:
        step += 1
        code = run_until(step, repeating, archive, out)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        there = {name: bytes for name, bytes in contents(out).items() if "/." not in f"/{name}"}
        assert there.items() <= expected.items()
        written = {name: (out / name).stat().st_mtime_ns for name in there}
        summary = run_archive(repeating, archive, out, resume=True)
        assert summary.counts["skipped"] == len(there)
        assert all((out / name).stat().st_mtime_ns == time for name, time in written.items())
        assert contents(out) == expected
        assert facts(report(out)) == facts(report(tmp_path / "undisturbed"))
        shutil.rmtree(out)
    assert step > 20


def test_what_may_end_the_process_is_done_last(repeating, archive, out, report, monkeypatch):
    first, *_ = plan_archive(archive, out)[0]
    monkeypatch.setattr(
        archive_module, "run_job", lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL)
    )
    assert run_until(0, repeating, archive, out) == -signal.SIGKILL
    monkeypatch.undo()
    run_archive(repeating, archive, out, resume=True)
    assert report(out)[-1]["output"] == first.name


def test_nothing_to_upscale_is_refused(repeating, archive, tmp_path, out):
    with pytest.raises(InputError, match="missing is not a folder"):
        run_archive(repeating, tmp_path / "missing", out)
    with pytest.raises(InputError, match="lies in the input"):
        run_archive(repeating, archive, archive / "out")
    with pytest.raises(InputError, match="holds the input"):
        run_archive(repeating, archive, tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"empty holds no image \(1 other files\)"):
        run_archive(repeating, empty, out)
    assert not out.exists()
