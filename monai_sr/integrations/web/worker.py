"""A process that does one thing at a time, and can be ended at any moment."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from monai_sr.errors import MonaiSRError

_logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Tell = Callable[[str, int, int], None]
"""Called with what is being done, how many frames of it are done, and of how many."""

Task = Callable[[Tell], Result]
"""A picklable object that does the work and tells how far it is."""

_ENDED = (
    "The process that worked on this image ended before it was done, perhaps for lack of memory; "
    "try a smaller image"
)
_NO_MEMORY = "There is not enough memory for this image; try a smaller one"


class Worker:
    """A process as the server sees it: it starts on first use and is replaced after it was ended.

    What crashes, hangs or takes all memory there does not harm the server, and what it works on can be
    cancelled at once. It ends with the server, even if that is killed.

    Args:
        memory: largest address space of the process in bytes, where the system can limit it.
    """

    def __init__(self, memory: int | None = None) -> None:
        self._memory = memory
        self._turn = asyncio.Lock()
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    async def run(self, task: Task[Result], tell: Tell) -> Result:
        """Do a task, when those before it are done; cancelling this ends the process.

        Args:
            task: what to do.
            tell: called in another thread, each time that the task tells how far it is.

        Returns:
            What the task returns.

        Raises:
            MonaiSRError: that of the task, or if the process ends before the task is done.
        """
        async with self._turn:
            try:
                return await asyncio.to_thread(_exchange, self._running(), task, tell)
            except (EOFError, OSError):
                self.stop()
                raise MonaiSRError(_ENDED) from None
            except asyncio.CancelledError:
                self.stop()
                raise

    def stop(self) -> None:
        """End the process and what it does; the next task starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()

    def _running(self) -> Connection:
        if self._connection is None or self._process is None or not self._process.is_alive():
            self.stop()
            # Not forked: libraries with threads do not survive it.
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_main, args=(theirs, self._memory), daemon=True)
            self._process.start()
            theirs.close()  # or its end would never be seen
        return self._connection


class _Done:
    def __init__(self, result: Any) -> None:
        self.result = result


def _exchange(connection: Connection, task: Task[Result], tell: Tell) -> Result:
    connection.send(task)
    while True:
        answer = connection.recv()
        if isinstance(answer, MonaiSRError):
            raise answer
        if isinstance(answer, _Done):
            result: Result = answer.result
            return result
        tell(*answer)


def _main(connection: Connection, memory: int | None) -> None:
    """Do one task after the other until the server ends."""
    # Ctrl+C reaches the whole group of processes; it is the server that ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_server, daemon=True).start()
    _be_silent()
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold a patient's pixels
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(_answer(task, lambda *progress: connection.send(progress)))


def _be_silent() -> None:
    """Let nothing be printed that names an upload; what matters is told to its owner, see work.py."""
    logging.basicConfig(handlers=[logging.NullHandler()])
    warnings.simplefilter("ignore")
    _logger.addHandler(logging.StreamHandler())
    _logger.propagate = False


def _answer(task: Task[Any], tell: Tell) -> object:
    try:
        return _Done(task(tell))
    except MonaiSRError as error:
        return error
    except MemoryError:
        return MonaiSRError(_NO_MEMORY)
    except OSError as error:
        return MonaiSRError(f"The server's disk refused ({error.strerror}); make room there and try again")
    except Exception as error:
        # Where it was raised, but neither its text nor its values, which may be a patient's.
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"
        _logger.error("%s at %s", type(error).__name__, place)
        return MonaiSRError(f"This image could not be processed ({type(error).__name__}); try another")


def _end_with_server() -> None:
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(1)
