from __future__ import annotations

import json
import multiprocessing
import os
import signal
from io import FileIO

import pytest

from monai_sr.batch.report import Outcome, Report, open_report
from monai_sr.errors import InputError, MonaiSRError

SETTINGS = {"bundle": "edsr_mri", "scale_factor": 2, "weights_sha256": "ab" * 32}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "deep" / "out"


def outcome(name, status="done"):
    return Outcome(status, name, name if status == "done" else None, ("a/b",), files=3, images=3, seconds=0.5)


def record(out, *outcomes, resume=False):
    """Run a batch of these outcomes, whose output folders it makes."""
    with open_report(out, SETTINGS, resume) as report:
        for each in outcomes:
            if each.output:
                (out / each.output).mkdir()
            report.add(each)
        return report


def test_a_line_tells_what_became_of_a_job_and_by_what(out):
    record(
        out,
        outcome("series_a"),
        Outcome("refused", "files/bad.dcm", None, ("bad.dcm",), 1, reason="bad.dcm is damaged"),
    )
    first, second = map(json.loads, (out / "report.jsonl").read_text().splitlines())
    assert first == SETTINGS | {
        "status": "done",
        "name": "series_a",
        "output": "series_a",
        "sources": ["a/b"],
        "files": 3,
        "images": 3,
        "reason": "",
        "seconds": 0.5,
        "consistency": None,
        "findings": [],
        "interval": None,
    }
    assert (second["status"], second["output"], second["reason"]) == ("refused", None, "bad.dcm is damaged")


def test_a_line_is_on_the_disk_before_the_next_job(out):
    with open_report(out, SETTINGS, False) as report:
        report.add(outcome("series_a"))
        assert len((out / "report.jsonl").read_text().splitlines()) == 1


def test_an_earlier_batch_is_continued_only_when_asked(out):
    record(out, outcome("series_a"), outcome("series_b"))
    with pytest.raises(InputError, match="holds an earlier batch; add --resume"):
        record(out)
    (out / "series_b").rmdir()
    report = record(out, resume=True)
    assert report.done == {"series_a": 3}


def test_only_what_is_done_stays_in_a_resumed_report(out):
    record(out, outcome("series_a"), outcome("b", "refused"), outcome("c", "failed"), outcome("d", "skipped"))
    lines = (out / "report.jsonl").read_text().splitlines(keepends=True)
    record(out, resume=True)
    assert (out / "report.jsonl").read_text() == lines[0]


@pytest.mark.parametrize("torn", ["", "{", '{"status": "done", "output": "series_b", "sou', "\0\0\0"])
def test_a_torn_line_is_written_anew(out, torn):
    record(out, outcome("series_a"))
    with (out / "report.jsonl").open("a") as file:
        file.write(torn)
    assert record(out, resume=True).done == {"series_a": 3}
    record(out, outcome("series_b"), resume=True)
    outputs = [json.loads(line)["output"] for line in (out / "report.jsonl").read_text().splitlines()]
    assert outputs == ["series_a", "series_b"]


@pytest.mark.parametrize("key", SETTINGS)
def test_other_settings_are_refused(out, key):
    record(out, outcome("series_a"))
    with (
        pytest.raises(InputError, match=f"begun with another {key} "),
        open_report(out, SETTINGS | {key: "other"}, True),
    ):
        pass
    assert record(out, resume=True).done


def test_another_runtime_names_the_options(out):
    def begin(computation):
        with open_report(out, SETTINGS | {"computation": computation}, True):
            pass

    begin("openvino bfloat16")
    with pytest.raises(
        InputError, match=r"another computation .* give the same --runtime and --precision, or"
    ):
        begin("torch float32")
    with pytest.raises(InputError, match=r"another computation .* give the same, or"):
        begin("openvino bfloat16, with intervals")


def test_a_folder_of_one_s_own_is_refused_and_left_as_it_is(out):
    out.mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(InputError, match="not empty and holds no batch"):
            record(out, resume=resume)
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match=r"notes.txt is a file"):
        record(out / "notes.txt")


def test_damaged_settings_are_refused(out):
    record(out)
    (out / "batch.json").write_text("{")
    with pytest.raises(InputError, match=r"batch.json is damaged"):
        record(out, resume=True)


def test_two_processes_do_not_share_an_output_and_a_kill_frees_it(out):
    fork = multiprocessing.get_context("fork")
    held = fork.Event()

    def hold():
        with open_report(out, SETTINGS, False):
            held.set()
            signal.pause()

    holder = fork.Process(target=hold)
    holder.start()
    try:
        assert held.wait(60)
        with pytest.raises(InputError, match="in use by another batch"):
            record(out, resume=True)
    finally:
        holder.kill()
        holder.join()
    assert record(out, resume=True).done == {}


def test_jobs_that_began_and_did_not_end_are_known(out):
    with open_report(out, SETTINGS, False) as report:
        for name in ("series_a", "series_b"):
            report.begin(name)
        (out / "series_a").mkdir()
        report.add(outcome("series_a"))
    with open_report(out, SETTINGS, True) as report:
        assert report.unfinished == {"series_b"}


class FullDisk(FileIO):
    def write(self, line):
        return super().write(line[:5])


def test_a_report_that_cannot_be_written_ends_the_batch(tmp_path, monkeypatch):
    def refuse(file):
        raise OSError(28, "No space left on device")

    with FullDisk(tmp_path / "report.jsonl", "w") as file:
        report = Report({}, set(), file, file, SETTINGS)
        with pytest.raises(MonaiSRError, match=r"report.jsonl could not be written \(the disk is full\)"):
            report.add(outcome("series_a"))
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(MonaiSRError, match=r"report.jsonl could not be written \(No space left"):
            report.begin("series_a")
        assert report.done == {}
