"""Compressed pixels, decoded in a process of their own, whose crash or greed harms nothing else.

The decoders are C libraries, and a damaged or hostile file can make one crash, hang or take all memory. So
one long-lived worker holds them: it starts on first use, has bounds on its memory and on the time for a
frame, is replaced after every failure and ends with its parent. This file is both sides: run as a script it
is the worker, so it imports nothing of the package.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import FileIO
from typing import Any, cast

MEMORY = 5 * 2**28
"""Largest address space of the worker in bytes, 1.25 GiB; macOS and Windows cannot limit it.

The largest frame that is read, 8192 x 8192 pixels of 16 bits, takes 1.1 GiB as JPEG lossless, the greediest.
"""

SECONDS = 5.0
"""Computing time for a frame, to which 1 s is added for each 16 million pixels and 2 s for each coded MiB."""

PATIENCE = 6
"""How many times as long a frame may take on a busy machine, and on Windows, which measures no other time."""

_START_SECONDS = 60.0
_PIXELS_PER_SECOND, _BYTES_PER_SECOND = 2**24, 2**19
_REQUEST = struct.Struct("<2Qd")
_TIME_IS_UP = -getattr(signal, "SIGPROF", 0)
_READY, _DECODED, _REFUSED = b"r", b"d", b"x"


class DecodeError(Exception):
    """A frame that was not decoded; the message says what it does, and holds nothing of it."""


class WorkerError(Exception):
    """The worker does not start, whatever it is to decode."""


class DecodeWorker:
    """The worker as its parent sees it; safe with threads, and with forks of the parent.

    Args:
        seconds: time for a small frame.
        memory: largest address space of the worker in bytes.
    """

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
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
            coded: the frame's codestream.
            options: what pydicom's decoders ask for (rows, columns, bits_allocated, bits_stored,
                pixel_representation, photometric_interpretation); `syntax`, the transfer syntax; `plugin`,
                the decoder to use, or "".

        Returns:
            Stored values of rows x columns pixels, little-endian, of the type that the options say.

        Raises:
            DecodeError: if the frame cannot be decoded within the bounds.
            WorkerError: if the worker does not start.
        """
        pixels = int(options["rows"]) * int(options["columns"])
        size = pixels * int(options["bits_allocated"]) // 8
        seconds = self._seconds + pixels / _PIXELS_PER_SECOND + len(coded) / _BYTES_PER_SECOND
        with self._lock:
            process = self._running()
            try:
                return self._exchange(process, coded, json.dumps(options).encode(), size, seconds)
            except BaseException:
                # What a failed decoder has done to its memory is unknown: the next frame gets a new one.
                self._stop()
                raise

    def close(self) -> None:
        """End the worker; the next frame starts another."""
        with self._lock:
            self._stop()

    def _exchange(
        self, process: subprocess.Popen[bytes], coded: bytes, options: bytes, size: int, seconds: float
    ) -> bytearray:
        inbox, outbox = _pipes(process)
        with _Deadline(process, PATIENCE * seconds) as deadline:
            with suppress(BrokenPipeError):
                _send(inbox, _REQUEST.pack(len(options), len(coded), seconds) + options)
                _send(inbox, coded)
            state = outbox.read(1)
            decoded = _receive(outbox, size) if state == _DECODED else bytearray()
            if not state:
                process.wait()
        if deadline.passed or process.returncode == _TIME_IS_UP:
            raise DecodeError("takes too long to decode")
        if len(decoded) < size:
            raise DecodeError("cannot be decoded" if state == _REFUSED else "makes its decoder crash")
        return decoded

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, str(self._memory), json.dumps(sys.path, default=str)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # a fork would copy, and flush, what is buffered
            # The threads of numerical libraries would take address space for nothing.
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        with _Deadline(self._process, _START_SECONDS):
            ready = _pipes(self._process)[1].read(1) == _READY
        if not ready:
            self._stop()
            raise WorkerError("the process that decodes compressed pixels does not start")
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in _pipes(process):
                pipe.close()

    def _leave_to_parent(self) -> None:
        # In a fork the lock may be held by a thread that is not there, and the worker is not its own.
        self._lock = threading.Lock()
        process, self._process = self._process, None
        if process is not None:
            process.returncode = 0
            for pipe in _pipes(process):
                pipe.close()


class _Deadline:
    """Kills a process unless the block ends in time; every wait for the process then ends, too."""

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


def _pipes(process: subprocess.Popen[bytes]) -> tuple[FileIO, FileIO]:
    return cast(FileIO, process.stdin), cast(FileIO, process.stdout)


def _send(pipe: FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[pipe.write(view) :]


def _receive(pipe: FileIO, size: int) -> bytearray:
    """At most `size` bytes: fewer where the other side ended."""
    data, received = bytearray(size), 0
    view = memoryview(data)
    while received < size and (count := pipe.readinto(view[received:])):
        received += count
    view.release()
    del data[received:]
    return data


def main(memory: int) -> None:
    """Serve requests from standard input until it ends, which it does with the parent.

    Args:
        memory: largest address space in bytes.
    """
    # Whatever a library prints must not mix with the answers.
    inbox, outbox = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    limit_time = _limit(memory)
    import pydicom.pixels  # noqa: F401  (before the time of the first frame runs)

    outbox.write(_READY)
    outbox.flush()
    while len(request := inbox.read(_REQUEST.size)) == _REQUEST.size:
        length, coded_length, seconds = _REQUEST.unpack(request)
        options, coded = json.loads(inbox.read(length)), inbox.read(coded_length)
        limit_time(seconds)
        try:
            answer = _DECODED + _decode(coded, **options)
        except Exception:
            answer = _REFUSED
        limit_time(0)
        outbox.write(answer)
        outbox.flush()


def _limit(memory: int) -> Callable[[float], object]:
    """Bound the memory; what is returned bounds the computing time from then on, and 0 ends that."""
    try:
        import resource
    except ImportError:  # Windows
        return lambda seconds: None
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold a patient's pixels
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    return partial(signal.setitimer, signal.ITIMER_PROF)


def _decode(coded: bytes, syntax: str, plugin: str, **options: Any) -> bytes:
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder

    options |= {"number_of_frames": 1, "samples_per_pixel": 1}
    source = encapsulate([coded], has_bot=False)
    array, _ = get_decoder(syntax).as_array(source, index=0, raw=True, decoding_plugin=plugin, **options)
    dtype = f"<{'i' if options['pixel_representation'] else 'u'}{options['bits_allocated'] // 8}"
    return array.reshape(options["rows"], options["columns"]).astype(dtype).tobytes()


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[2])
    main(int(sys.argv[1]))
