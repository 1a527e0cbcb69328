"""A watcher beside a real Orthanc: each result once, whatever ends, fails or stays away."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from monai_sr.batch.archive import series_name
from monai_sr.errors import InputError
from monai_sr.integrations.pacs import session, state, watch
from monai_sr.integrations.pacs.address import parse_address
from monai_sr.integrations.pacs.rules import Rules
from monai_sr.integrations.pacs.server import Pacs
from monai_sr.integrations.pacs.state import ATTEMPTS, State
from monai_sr.integrations.pacs.watch import Stop, StoppedError, Watcher
from monai_sr.io.dicom_derive import derived_uid
from monai_sr.volume import Provenance
from tests.batch.conftest import Repeating
from tests.cli.commands import invoke
from tests.integrations.orthanc import running_orthanc
from tests.integrations.ports import free_port
from tests.io.conftest import ROOT


def name_of(series, study=1):
    return series_name(f"{ROOT}.1.{study}", f"{ROOT}.{series}")


@pytest.fixture
def make_watcher(tmp_path, repeating):
    states = []

    def make(url, *, stable_seconds=0.0, stop=None, upscaler=repeating, folder="state", **rules):
        stop = stop or Stop()
        pacs = Pacs(parse_address(url), stop.pause)
        while states:
            states.pop().close()
        states.append(State(tmp_path / folder, derived_uid("", "watch", upscaler.provenance)))
        return Watcher(upscaler, pacs, pacs, states[0], Rules(**rules), stop, stable_seconds)

    return make


@pytest.fixture(autouse=True)
def _told(caplog):
    caplog.set_level(logging.INFO, "monai_sr")


@contextmanager
def running(make, stop):
    """A watcher in a thread, which makes it; gives what it raised in the end."""
    raised = []

    def run():
        try:
            make().run(0.05)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield raised
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def wait_until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_each_series_is_done_once(make_watcher, empty_orthanc, make_dicom):
    empty_orthanc.push(*(make_dicom(series, study=series % 2) for series in (5, 6, 7)))
    watcher = make_watcher(empty_orthanc.url)
    assert watcher.run_once() == {"done": 3}
    done = empty_orthanc.series()
    assert len(done) == 6
    assert watcher.run_once() == {}
    assert make_watcher(empty_orthanc.url).run_once() == {}
    # The state is no more than a help.
    assert make_watcher(empty_orthanc.url, folder="lost").run_once() == {}
    assert empty_orthanc.series() == done


def test_what_another_watcher_made_is_not_upscaled(make_watcher, empty_orthanc, make_dicom, proxy):
    class Other(Repeating):
        provenance = Provenance(2, "other", "1.0", "cd" * 32, "0.1.0")

    empty_orthanc.push(make_dicom())
    assert make_watcher(empty_orthanc.url).run_once() == {"done": 1}
    assert make_watcher(empty_orthanc.url, upscaler=Other()).run_once() == {"done": 1, "skipped": 1}
    assert len(empty_orthanc.series()) == 3
    # That it was derived is remembered: no image is fetched to learn it again.
    assert make_watcher(proxy.url, upscaler=Other()).run_once() == {}
    assert not [seen for seen in proxy.requests if re.search(r"/instances/[\d.]+$", seen.path)]
    assert make_watcher(proxy.url, upscaler=Other(), folder="lost").run_once() == {"skipped": 1}
    assert len([seen for seen in proxy.requests if re.search(r"/instances/[\d.]+$", seen.path)]) == 1


def test_a_growing_series_is_waited_for(make_watcher, empty_orthanc, make_dicom):
    folder = make_dicom(count=6)
    later = folder.parent / "later"
    later.mkdir()
    for path in sorted(folder.iterdir())[3:]:
        path.rename(later / path.name)
    empty_orthanc.push(folder)
    watcher = make_watcher(empty_orthanc.url, stable_seconds=0.6)
    assert watcher._look() == {}
    time.sleep(0.7)
    empty_orthanc.push(later)
    assert watcher._look() == {}
    time.sleep(0.7)
    assert watcher._look() == {"done": 1}
    assert sorted(empty_orthanc.series().values()) == [6, 6]


def test_a_series_that_grows_afterwards_and_half_a_result_are_completed(
    make_watcher, empty_orthanc, make_dicom
):
    folder = make_dicom(count=6)
    late = sorted(folder.iterdir())[-1]
    aside = late.rename(folder.parent / "late")
    empty_orthanc.push(folder)
    assert make_watcher(empty_orthanc.url).run_once() == {"done": 1}
    aside.rename(late)
    empty_orthanc.push(folder)
    assert make_watcher(empty_orthanc.url).run_once() == {"done": 1}
    assert sorted(empty_orthanc.series().values()) == [6, 6]
    for entry in empty_orthanc.get("/series?expand"):
        if entry["MainDicomTags"]["SeriesInstanceUID"] != f"{ROOT}.5":
            for instance in entry["Instances"][:4]:
                empty_orthanc.get(f"/instances/{instance}", "DELETE")
    assert make_watcher(empty_orthanc.url).run_once() == {"done": 1}
    assert sorted(empty_orthanc.series().values()) == [6, 6]


def test_rules_leave_series_out(make_watcher, empty_orthanc, make_dicom):
    empty_orthanc.push(
        make_dicom(5), make_dicom(6, edit=lambda image: setattr(image, "SeriesDescription", "t2 flair"))
    )
    assert make_watcher(empty_orthanc.url, modality="CT").run_once() == {}
    assert make_watcher(empty_orthanc.url, max_spacing=0.1).run_once() == {"skipped": 2}
    assert make_watcher(empty_orthanc.url, description="FLAIR").run_once() == {"done": 1}
    assert make_watcher(empty_orthanc.url).run_once() == {"done": 1}


def test_a_bad_series_stops_no_other_and_is_left(make_watcher, empty_orthanc, make_dicom, caplog):
    def turn(image):
        if image.InstanceNumber == 99:
            image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]

    empty_orthanc.push(make_dicom(5, edit=turn), make_dicom(6))
    assert make_watcher(empty_orthanc.url).run_once() == {"refused": 1, "done": 1}
    assert make_watcher(empty_orthanc.url).run_once() == {}
    assert f"{name_of(5)} is refused: {name_of(5)} mixes orientations" in caplog.text
    assert ROOT not in caplog.text


def test_what_fails_is_tried_again_and_not_for_ever(
    make_watcher, empty_orthanc, make_dicom, proxy, monkeypatch, caplog
):
    monkeypatch.setattr(state, "FIRST_WAIT", 0.0)
    empty_orthanc.push(make_dicom(5), make_dicom(6))
    # A PACS that stumbles over one series is not down.
    proxy.fault = lambda request: f"{ROOT}.5/instances/" in request.path and request.answer(500, {})
    watcher = make_watcher(proxy.url)
    counts = [watcher.run_once() for _ in range(ATTEMPTS + 2)]
    assert counts == [{"failed": 1, "done": 1}, *([{"failed": 1}] * (ATTEMPTS - 1)), {}, {}]
    assert "it is not tried again" in caplog.text
    assert make_watcher(proxy.url).run_once() == {}


def test_a_failure_waits(make_watcher, empty_orthanc, make_dicom, proxy):
    empty_orthanc.push(make_dicom(5))
    proxy.fault = lambda request: f"{ROOT}.5/instances/" in request.path and request.answer(400, {})
    watcher = make_watcher(proxy.url)
    assert [watcher.run_once(), watcher.run_once()] == [{"failed": 1}, {}]


def test_the_unexpected_is_told_without_its_message(
    make_watcher, empty_orthanc, make_dicom, monkeypatch, caplog
):
    class Broken(Repeating):
        def stream(self, volume, progress=None):
            raise ValueError("PLANTED")

    empty_orthanc.push(make_dicom(5))
    assert make_watcher(empty_orthanc.url, upscaler=Broken()).run_once() == {"failed": 1}
    assert "ValueError in test_watch.py, line" in caplog.text


def test_a_pacs_that_is_down_is_waited_for(make_watcher, make_dicom, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(watch, "LONGEST_WAIT", 0.2)
    stop = Stop()
    with running_orthanc(tmp_path / "orthanc") as orthanc:
        orthanc.stop()
        with running(lambda: make_watcher(orthanc.url, stop=stop), stop) as raised:
            wait_until(lambda: "waiting for it" in caplog.text)
            time.sleep(1)
            orthanc.start()
            orthanc.push(make_dicom(5))
            wait_until(lambda: len(orthanc.series()) == 2)
            orthanc.restart()
            orthanc.push(make_dicom(6))
            wait_until(lambda: len(orthanc.series()) == 4)
    assert [type(error) for error in raised] == [StoppedError]
    assert 1 <= caplog.text.count("waiting for it") <= 2
    assert "answers again" in caplog.text


def test_a_stop_while_the_pacs_is_down_is_a_clean_one(make_watcher):
    stop = Stop()
    address = f"dicomweb://127.0.0.1:{free_port()}/dicom-web"
    with running(lambda: make_watcher(address, stop=stop), stop) as raised:
        time.sleep(0.5)  # between the first attempts
    assert [type(error) for error in raised] == [StoppedError]


def test_a_proxy_in_place_of_a_pacs_is_waited_for_too(make_watcher, proxy, caplog, monkeypatch):
    monkeypatch.setattr(watch, "LONGEST_WAIT", 0.1)
    stop = Stop()
    with running(lambda: make_watcher(proxy.url, stop=stop), stop) as raised:
        wait_until(lambda: len(proxy.requests) > 2)
        proxy.fault = lambda request: request.answer(404, {})
        wait_until(lambda: "waiting for it" in caplog.text)
        proxy.fault = lambda request: False
        wait_until(lambda: "answers again" in caplog.text)
        proxy.fault = lambda request: request.answer(401, {})
        wait_until(lambda: raised)
    assert isinstance(raised[0], session.AccessError)


def test_what_was_never_a_pacs_is_not_waited_for(make_watcher, proxy):
    proxy.fault = lambda request: request.answer(404, {})
    with pytest.raises(session.MissingError):
        make_watcher(proxy.url).run(1)


def test_a_stop_leaves_nothing_behind(make_watcher, empty_orthanc, make_dicom):
    stop = Stop()

    class Stopping(Repeating):
        def stream(self, volume, progress=None):
            stop.set()
            progress(1, 3)

    empty_orthanc.push(make_dicom(5))
    watcher = make_watcher(empty_orthanc.url, stop=stop, upscaler=Stopping())
    with pytest.raises(StoppedError):
        watcher.run_once()
    assert empty_orthanc.series() == {f"{ROOT}.5": 3}
    assert watcher._state.get(name_of(5)) is None
    assert make_watcher(empty_orthanc.url).run_once() == {"done": 1}


def test_a_stop_does_not_interrupt_storing(make_watcher, empty_orthanc, make_dicom, proxy):
    stop = Stop()
    empty_orthanc.push(make_dicom(5))
    proxy.fault = lambda request: bool(request.command == "POST" and stop.set())
    with pytest.raises(StoppedError):
        make_watcher(proxy.url, stop=stop).run(1)
    assert sorted(empty_orthanc.series().values()) == [3, 3]


def test_wrong_use_is_refused(empty_orthanc, tmp_path):
    url = empty_orthanc.url
    for arguments, said in (
        ((f"{url}/studies/1.2",), "end before /studies"),
        ((url, "out"), "dicomweb://HOST"),
        ((url, "--modality", "mr"), "capitals"),
        ((url, "--transfer-syntax", "jpeg"), "jpeg"),
    ):
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            result = invoke("pacs", "watch", *arguments, "--state", tmp_path / "state")
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        assert isinstance(result.exception, InputError), result.output
        assert said in str(result.exception)


@pytest.mark.slow
def test_twenty_series_survive_restarts_and_kills(tmp_path, make_dicom):
    with running_orthanc(tmp_path / "orthanc") as orthanc:
        folders = [make_dicom(series, count=2, size=16, study=series // 4) for series in range(5, 25)]
        orthanc.push(*folders[:12])
        command = [
            sys.executable,
            "-m",
            "monai_sr",
            "pacs",
            "watch",
            orthanc.url,
            "--bundle",
            "swift_srgan_mri",
        ]
        options = ["--state", str(tmp_path / "state"), "--stable-seconds", "0.2", "--interval", "0.2"]
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        log = (tmp_path / "log.txt").open("ab")

        def start():
            return subprocess.Popen(
                [*command, *options, "--runtime", "torch"], stdout=log, stderr=log, env=env
            )

        def derived():
            return {uid: count for uid, count in orthanc.series().items() if not uid.startswith(ROOT)}

        watcher = start()
        for number, at_least in enumerate((2, 6)):
            wait_until(lambda at_least=at_least: len(derived()) >= at_least, 120)
            watcher.kill()
            watcher.wait()
            if number == 0:
                orthanc.push(*folders[12:])
            orthanc.restart()
            watcher = start()
        wait_until(lambda: len(derived()) >= 20 and set(derived().values()) == {2}, 180)
        time.sleep(2)
        watcher.terminate()
        assert watcher.wait(60) == 0
        assert list((tmp_path / "state" / "work").iterdir()) == []
        log.close()
        # None twice, none of none, and each in the study of its source.
        assert Counter(derived().values()) == {2: 20}
        assert len(orthanc.series()) == 40
        assert [len(study["Series"]) for study in orthanc.get("/studies?expand")].count(8) == 4
    told = (tmp_path / "log.txt").read_text()
    assert told.count(": 2 images") >= 16
    assert told.endswith("Stopped.\n")
    assert ROOT not in told
    assert "Doe" not in told
    assert "Error" not in told
    assert "File" not in told
