"""What the desk keeps and for how long; its processes are real, its clock is not waited for."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from monai_sr.errors import InputError
from monai_sr.integrations.web import jobs
from monai_sr.integrations.web.jobs import Desk
from monai_sr.integrations.web.refusals import BusyError, GoneError, OutOfTurnError
from monai_sr.integrations.web.settings import Choice, Settings

SETTINGS = Settings((), 2**20, "cpu", 2**30)
CHOICE = Choice("none", Path("/nowhere"), 2, None)


async def chunks(content: bytes):
    yield content


async def watched() -> bool:
    return True


async def looked_at(desk: Desk, png: bytes) -> jobs.Job:
    job = await desk.open(1)
    await desk.receive(job, 1, 0, ".png", chunks(png))
    await desk.look(job, watched)
    return job


def run(tmp_path: Path, use) -> None:
    async def main() -> None:
        desk = Desk(SETTINGS, tmp_path)
        try:
            await use(desk)
        finally:
            await desk.close()
        assert list(tmp_path.iterdir()) == []

    asyncio.run(main())


def test_room_is_made_by_what_waits_for_nothing(tmp_path, png, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_JOBS", 2)

    async def use(desk: Desk) -> None:
        idle = await looked_at(desk, png)
        receiving = await desk.open(1)
        await desk.open(1)
        with pytest.raises(GoneError):
            desk.find(idle.token)
        assert not idle.folder.exists()
        with pytest.raises(BusyError):
            await desk.open(1)
        assert desk.find(receiving.token) is receiving

    run(tmp_path, use)


def test_a_job_without_a_page_is_cancelled_and_a_result_expires(tmp_path, png, monkeypatch):
    monkeypatch.setattr(jobs, "_SWEEP", 0.01)
    monkeypatch.setattr(jobs, "_ASK", 0.05)
    monkeypatch.setattr(jobs, "ABANDONED", 0.5)

    async def use(desk: Desk) -> None:
        sweeping = asyncio.create_task(desk.sweep())
        asked, left = await desk.open(1), await desk.open(1)
        for _ in range(20):
            await asyncio.sleep(0.05)
            desk.find(asked.token)
        with pytest.raises(GoneError):
            desk.find(left.token)
        ready = await looked_at(desk, png)
        await asyncio.sleep(0.7)
        assert desk.find(ready.token).expires > time.monotonic() + 3000
        ready.keep(0)
        await asyncio.sleep(0.2)
        assert not ready.folder.exists()
        sweeping.cancel()

    run(tmp_path, use)


def test_a_page_that_leaves_while_its_image_is_looked_at_ends_that(tmp_path, png):
    async def gone() -> bool:
        return False

    async def use(desk: Desk) -> None:
        job = await desk.open(1)
        await desk.receive(job, 1, 0, ".png", chunks(png))
        await desk._looker._turn.acquire()  # as if another image took long
        with pytest.raises(GoneError):
            await desk.look(job, gone)
        assert not job.folder.exists()
        desk._looker._turn.release()
        assert (await looked_at(desk, png)).found[0].frames == 1

    run(tmp_path, use)


def test_few_may_wait_and_a_failure_is_told(tmp_path, png, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_WAITING", 1)

    async def use(desk: Desk) -> None:
        one, other = await looked_at(desk, png), await looked_at(desk, png)
        desk.start(one, CHOICE)
        with pytest.raises(BusyError):
            desk.start(other, CHOICE)
        with pytest.raises(OutOfTurnError):
            desk.start(one, CHOICE)
        assert desk.before(one) == 0
        await asyncio.wait({one.task})
        assert one.state == "failed"
        assert "/nowhere" in one.message
        assert not one.folder.exists()
        with pytest.raises(InputError):
            await desk.open(0)

    run(tmp_path, use)
