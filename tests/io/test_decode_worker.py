"""What a decoder may do to the process that it runs in, and that the next frame is decoded all the same."""

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from pydicom.pixels import get_encoder
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from monai_sr.io import decode_worker, dicom_pixels
from monai_sr.io.decode_worker import DecodeError, DecodeWorker, WorkerError

FRAME = np.random.default_rng(0).integers(0, 4096, (48, 64), np.uint16)
OPTIONS = {
    "rows": 48,
    "columns": 64,
    "bits_allocated": 16,
    "bits_stored": 12,
    "pixel_representation": 0,
    "photometric_interpretation": "MONOCHROME2",
}


def coded(syntax=RLELossless, frame=FRAME):
    options = OPTIONS | {
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "number_of_frames": 1,
        "samples_per_pixel": 1,
    }
    return bytes(get_encoder(syntax).encode(frame, **options))


def decoded(worker, syntax=RLELossless, plugin="", **options):
    values = worker.decode(coded(syntax), OPTIONS | {"syntax": syntax, "plugin": plugin} | options)
    return np.frombuffer(values, "<u2").reshape(FRAME.shape)


def worker_pid(worker):
    return worker._process.pid


@pytest.fixture
def worker():
    worker = DecodeWorker()
    yield worker
    worker.close()


@pytest.mark.parametrize(
    ("syntax", "plugin"),
    [
        (RLELossless, "pydicom"),
        (JPEGLSLossless, "pyjpegls"),
        (JPEG2000Lossless, "pylibjpeg"),
        (JPEG2000Lossless, ""),
    ],
)
def test_frames_are_decoded_by_one_process(worker, syntax, plugin):
    np.testing.assert_array_equal(decoded(worker, syntax, plugin), FRAME)
    first = worker_pid(worker)
    np.testing.assert_array_equal(decoded(worker, syntax, plugin), FRAME)
    assert worker_pid(worker) == first != os.getpid()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_a_crash_ends_the_worker_alone(worker, capfd):
    # pylibjpeg's RLE decoder aborts its process where it gets no memory.
    bomb = struct.pack("<16I", 2, 64, 1064, *[0] * 13) + b"\x81\0" * 1000
    with pytest.raises(DecodeError, match="makes its decoder crash"):
        worker.decode(
            bomb, OPTIONS | {"syntax": RLELossless, "plugin": "pylibjpeg", "rows": 18000, "columns": 18000}
        )
    np.testing.assert_array_equal(decoded(worker), FRAME)
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_decoded_is_told_from_a_crash(worker):
    decoded(worker)
    first = worker_pid(worker)
    with pytest.raises(DecodeError, match="cannot be decoded"):
        worker.decode(b"PLANTED", OPTIONS | {"syntax": JPEGLSLossless, "plugin": "pyjpegls"})
    # Its memory may be damaged, so that it decodes nothing more.
    np.testing.assert_array_equal(decoded(worker), FRAME)
    assert worker_pid(worker) != first


def test_a_frame_of_another_size_is_not_passed_on(worker):
    with pytest.raises(DecodeError, match="cannot be decoded"):
        decoded(worker, JPEGLSLossless, "pyjpegls", rows=24)


@pytest.mark.skipif(not hasattr(signal, "SIGPROF"), reason="computing time cannot be limited here")
def test_a_decoder_that_computes_for_too_long_is_given_up(monkeypatch):
    for constant, value in (
        ("PATIENCE", 10**5),
        ("_PIXELS_PER_SECOND", np.inf),
        ("_BYTES_PER_SECOND", np.inf),
    ):
        monkeypatch.setattr(decode_worker, constant, value)
    frame = np.random.default_rng(0).integers(0, 4096, (512, 512), np.uint16)
    large = {"rows": 512, "columns": 512, "syntax": JPEG2000Lossless, "plugin": "pylibjpeg"}
    worker = DecodeWorker(seconds=1e-3)
    with pytest.raises(DecodeError, match="takes too long"):
        worker.decode(coded(JPEG2000Lossless, frame), OPTIONS | large)
    worker.close()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be halted here")
def test_a_decoder_that_hangs_is_given_up():
    worker = DecodeWorker(seconds=0.1)
    decoded(worker)
    os.kill(worker_pid(worker), signal.SIGSTOP)
    with pytest.raises(DecodeError, match="takes too long"):
        decoded(worker)
    np.testing.assert_array_equal(decoded(DecodeWorker()), FRAME)
    worker.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_memory_is_bounded():
    worker = DecodeWorker(memory=2**28)
    decoded(worker)
    with pytest.raises(DecodeError):
        decoded(worker, rows=2**13, columns=2**13)
    np.testing.assert_array_equal(decoded(worker), FRAME)
    worker.close()


def test_a_worker_that_does_not_start_is_no_fault_of_the_frame(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(WorkerError, match="does not start"):
        DecodeWorker().decode(b"", OPTIONS | {"syntax": RLELossless, "plugin": ""})


def test_a_worker_that_ended_unnoticed_is_replaced(worker):
    decoded(worker)
    worker._process.kill()
    worker._process.wait()
    np.testing.assert_array_equal(decoded(worker), FRAME)


def test_threads_share_the_worker(worker):
    results = []
    threads = [threading.Thread(target=lambda: results.append(decoded(worker))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all((result == FRAME).all() for result in results)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_of_the_parent_gets_a_worker_of_its_own(worker):
    decoded(worker)
    first = worker_pid(worker)
    child = os.fork()
    if not child:
        good = (decoded(worker) == FRAME).all() and worker_pid(worker) != first
        worker.close()
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(decoded(worker), FRAME)
    assert worker_pid(worker) == first


PROGRAM = """
import os, sys
sys.path[:0] = {path!r}
from monai_sr.io.decode_worker import DecodeWorker
worker = DecodeWorker()
worker.decode({coded!r}, {options!r})
print(worker._process.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def program(folder):
    """A script of another folder, as an installed command is, that decodes a frame and is then killed."""
    script = folder / "bin" / "command.py"
    script.parent.mkdir()
    options = OPTIONS | {"syntax": str(RLELossless), "plugin": ""}
    root = str(Path(dicom_pixels.__file__).parents[2])
    script.write_text(PROGRAM.format(path=[root], coded=coded(), options=options))
    return [sys.executable, script]


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_the_worker_ends_with_its_parent(tmp_path):
    result = subprocess.run(program(tmp_path), capture_output=True, text=True, timeout=60, check=False)
    pid = int(result.stdout)
    end = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_running(pid)


def test_the_worker_runs_no_code_of_the_folder_that_one_stands_in(tmp_path):
    for name in ("numpy", "pydicom", "json", "struct"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        program(tmp_path),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=60,
        check=False,
    )
    assert result.stdout.strip().isdigit(), result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_the_worker_loads_no_framework(worker):
    decoded(worker, JPEG2000Lossless, "pylibjpeg")
    loaded = Path(f"/proc/{worker_pid(worker)}/maps").read_text()
    assert "openjpeg" in loaded
    assert "torch" not in loaded
