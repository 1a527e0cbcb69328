"""Compressed pixels, decoded in a process of their own, whose crash or greed harms nothing else.

The decoders are C libraries, and a damaged or hostile file can make one crash, hang or take all memory. So one
long-lived worker holds them: it starts on first use, has bounds on its memory and on the time for a frame, is
replaced after every failure and ends with its parent. This file is both sides: run as a script, it is the worker,
so it imports nothing of the package.
"""

from __future__ import annotations

import atexit
import json
import os
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any

SECONDS_PER_FRAME = 8.0
"""Longest time for a frame, in seconds."""

MEMORY = 2 * 2**30
"""Largest address space of the worker in bytes, where the system can limit it (Linux)."""

_START_SECONDS = 60.0
_REQUEST = struct.Struct("<IQ")
_READY, _DECODED, _REFUSED = b"r", b"d", b"x"


class DecodeError(Exception):
    """A frame was not decoded; the message says what happened, and holds nothing of the frame."""


class WorkerError(Exception):
    """The worker does not start, whatever it is to decode."""


class DecodeWorker:
    """The worker as its parent sees it; safe with threads, and with forks of the parent.

    Args:
        seconds: longest time for a frame.
        memory: largest address space of the worker in bytes.
    """

    def __init__(self, seconds: float = SECONDS_PER_FRAME, memory: int = MEMORY) -> None:
        self._seconds = seconds
        self._memory = memory
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_to_parent)

    def decode(self, coded: bytes, options: dict[str, str | int]) -> bytearray:
        """Decode one frame.

        Args:
            coded: the frame's bytes, of any length.
            options: what pydicom's decoders ask for (rows, columns, bits_allocated, bits_stored,
                pixel_representation, photometric_interpretation), `syntax`, the transfer syntax, and `plugin`,
                the decoder to use, or "".

        Returns:
            Stored values, rows x columns, little-endian, of the type that the options say.

        Raises:
            DecodeError: if the frame cannot be decoded within the bounds.
            WorkerError: if the worker does not start.
        """
        decoded = bytearray(
            int(options["rows"]) * int(options["columns"]) * int(options["bits_allocated"]) // 8
        )
        with self._lock:
            process = self._running()
            try:
                self._exchange(process, coded, json.dumps(options).encode(), decoded)
            except BaseException:
                # What a failed decoder has done to its memory is unknown: the next frame gets a new one.
                self._stop()
                raise
        return decoded

    def close(self) -> None:
        """End the worker; the next frame would start another."""
        with self._lock:
            self._stop()

    def _exchange(
        self, process: subprocess.Popen[bytes], coded: bytes, options: bytes, decoded: bytearray
    ) -> None:
        inbox, outbox = _pipes(process)
        with _Deadline(process, self._seconds) as deadline:
            with suppress(BrokenPipeError):
                inbox.write(_REQUEST.pack(len(options), len(coded)) + options)
                inbox.write(coded)
                inbox.flush()
            state = outbox.read(1)
            complete = state == _DECODED and outbox.readinto(decoded) == len(decoded)  # type: ignore[attr-defined]
        if deadline.passed:
            raise DecodeError(f"takes over {self._seconds:g} s")
        if not complete:
            raise DecodeError("is damaged" if state == _REFUSED else "makes the decoder crash")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore",
                __file__,
                str(self._seconds),
                str(self._memory),
                json.dumps(sys.path),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Threads of numerical libraries would take address space and gain nothing.
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        with _Deadline(self._process, _START_SECONDS):
            started = _pipes(self._process)[1].read(1) == _READY
        if not started:
            self._stop()
            raise WorkerError("the process that decodes compressed pixels does not start")
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(BrokenPipeError):
                process.communicate()

    def _leave_to_parent(self) -> None:
        # After a fork the worker serves the parent alone, and the lock may be held by a thread that is not here.
        self._lock = threading.Lock()
        process, self._process = self._process, None
        if process is not None:
            for pipe in _pipes(process):
                os.close(pipe.fileno())
            process.returncode = 0


class _Deadline:
    """Kills a process unless the block ends in time, which ends every wait for the process too."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.passed = False
        self._process = process
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True

    def _pass(self) -> None:
        self.passed = True
        self._process.kill()

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise WorkerError("the process that decodes compressed pixels has no pipes")
    return process.stdin, process.stdout


def main(seconds: float, memory: int) -> None:
    """Serve requests from standard input until it ends, which it does with the parent.

    Args:
        seconds: after which a frame is given up even if the parent is no longer there to do so.
        memory: largest address space in bytes.
    """
    # Whatever a library prints must not mix with the answers.
    inbox, outbox = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    alarm = _limit(memory)
    import pydicom.pixels  # noqa: F401  # loaded before the clock of the first frame starts

    outbox.write(_READY)
    outbox.flush()
    while len(request := inbox.read(_REQUEST.size)) == _REQUEST.size:
        length, coded_length = _REQUEST.unpack(request)
        options, coded = json.loads(inbox.read(length)), inbox.read(coded_length)
        alarm(int(seconds) + 2)
        try:
            answer = _DECODED + _decode(coded, **options)
        except Exception:
            answer = _REFUSED
        alarm(0)
        outbox.write(answer)
        outbox.flush()


def _limit(memory: int) -> Any:
    try:
        import resource
        import signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold pixels of a patient
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        return signal.alarm
    except ImportError:
        return lambda seconds: None


def _decode(coded: bytes, syntax: str, plugin: str, **options: Any) -> bytes:
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder

    array, _ = get_decoder(syntax).as_array(
        encapsulate([coded], has_bot=False),
        index=0,
        raw=True,
        decoding_plugin=plugin,
        number_of_frames=1,
        samples_per_pixel=1,
        **options,
    )
    kind = "i" if options["pixel_representation"] else "u"
    return (
        array.reshape(options["rows"], options["columns"])
        .astype(f"<{kind}{options['bits_allocated'] // 8}")
        .tobytes()
    )


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[3])
    main(float(sys.argv[1]), int(sys.argv[2]))
