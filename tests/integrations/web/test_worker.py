"""Tasks that fail, crash and never end."""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from dataclasses import dataclass

import pytest

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.web.worker import Worker


@dataclass(frozen=True)
class Task:
    kind: str

    def __call__(self, tell):
        if self.kind == "refuse":
            raise InputError("Not this one")
        if self.kind == "bug":
            raise KeyError("PLANTED")
        if self.kind == "disk":
            raise OSError(28, "No space left on device", "/PLANTED")
        if self.kind == "memory":
            return len(bytearray(2**33))
        if self.kind == "crash":
            ctypes.string_at(0)
        if self.kind == "hang":
            time.sleep(600)
        tell("computing", 1, 2)
        return os.getpid()


def ignore(*progress: object) -> None:
    """Whoever does not want to know."""


def test_a_failure_is_a_sentence_and_the_next_task_is_done():
    async def use() -> None:
        worker, told = Worker(2**32), []
        first = await worker.run(Task("work"), lambda *progress: told.append(progress))
        assert told == [("computing", 1, 2)]
        for kind, error, said in (
            ("refuse", InputError, "Not this one"),
            ("bug", MonaiSRError, "KeyError"),
            ("disk", MonaiSRError, "No space left on device"),
            ("memory", MonaiSRError, "not enough memory"),
        ):
            with pytest.raises(error, match=said) as raised:
                await worker.run(Task(kind), ignore)
            assert "PLANTED" not in str(raised.value)
        assert await worker.run(Task("work"), ignore) == first
        with pytest.raises(MonaiSRError, match="ended before it was done"):
            await worker.run(Task("crash"), ignore)
        assert await worker.run(Task("work"), ignore) != first
        worker.stop()

    asyncio.run(use())


def test_what_hangs_is_cancelled_and_what_waits_behind_it_is_done():
    async def use() -> None:
        worker = Worker()
        hanging = asyncio.create_task(worker.run(Task("hang"), ignore))
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(worker.run(Task("work"), ignore))
        never = asyncio.create_task(worker.run(Task("work"), ignore))
        await asyncio.sleep(0.1)
        never.cancel()
        hanging.cancel()
        assert await waiting != os.getpid()
        assert hanging.cancelled()
        assert never.cancelled()
        worker.stop()

    asyncio.run(use())
