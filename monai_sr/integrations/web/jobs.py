"""The uploads that a server holds: received, looked at, done one at a time, and removed."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.web.refusals import BusyError, GoneError, OutOfTurnError, TooLargeError
from monai_sr.integrations.web.settings import MAX_FILES, Choice, Settings
from monai_sr.integrations.web.upload import RECEIVED, neutral, stored_path
from monai_sr.integrations.web.work import Found, Look, Made, Upscale, warm
from monai_sr.integrations.web.worker import Tell, Worker

MAX_JOBS = 12
"""Uploads and results that are kept at a time; for another, the oldest that waits for nothing is removed."""

MAX_WAITING = 4
"""Jobs that may wait while one is done."""

KEPT = 3600.0
"""Seconds for which an image or its result is kept."""

KEPT_AFTER_DOWNLOAD = 600.0
"""Seconds for which a result is kept once it was downloaded."""

ABANDONED = 300.0
"""Seconds without a sign of the page, after which its job is cancelled; hidden pages ask once a minute."""

READING = 2 * 2**30
"""Address space that libraries take where an image is looked at, beside the memory for the image."""

_SWEEP, _ASK = 5.0, 1.0

State = Literal["receiving", "looking", "ready", "waiting", "working", "done", "failed"]
WATCHED: set[State] = {"receiving", "looking", "waiting", "working"}
"""States in which a job is cancelled when nobody watches it any more."""


@dataclass(eq=False)
class Job:
    """One upload and what becomes of it.

    Args:
        folder: where it is kept.
        token: names it; who knows the token has the image.
        expected: how many files are to come.
        expires: when it is removed, by the monotonic clock.
        state: what it is at.
        received: bytes.
        found: what it is.
        choice: what it is to be done with.
        doing: loading, computing or drawing.
        done: frames.
        made: the result.
        message: why it failed.
        task: what works on it.
    """

    folder: Path
    token: str
    expected: int
    expires: float
    state: State = "receiving"
    received: int = 0
    found: list[Found] = field(default_factory=list)
    choice: Choice | None = None
    doing: str = "loading"
    done: int = 0
    made: Made | None = None
    message: str = ""
    task: asyncio.Task[Any] | None = None

    @property
    def frames(self) -> int:
        """Of all its series."""
        return sum(found.frames for found in self.found)

    def enter(self, state: State) -> None:
        """Go on to a state, and be kept for as long as is due there."""
        self.state = state
        self.keep(ABANDONED if state in WATCHED else KEPT)

    def keep(self, seconds: float) -> None:
        """Be removed so many seconds from now, whatever was said before."""
        self.expires = time.monotonic() + seconds


class Desk:
    """Takes uploads and has them done, one at a time.

    Args:
        settings: what is offered.
        root: private folder.
    """

    def __init__(self, settings: Settings, root: Path) -> None:
        self.settings = settings
        self._root = root
        self._jobs: dict[str, Job] = {}
        # Two, so that an image is looked at while another is done.
        self._looker, self._upscaler = Worker(settings.memory + READING), Worker()

    def find(self, token: str) -> Job:
        """A job by its token; to ask is a sign of the page.

        Args:
            token: from `open`.

        Returns:
            The job.

        Raises:
            GoneError: if there is none.
        """
        job = self._jobs.get(token)
        if job is None:
            raise GoneError
        if job.state in WATCHED:
            job.keep(ABANDONED)
        return job

    def before(self, job: Job) -> int:
        """How many jobs are done before one that waits."""
        tokens = [other.token for other in self._jobs.values() if other.state in ("waiting", "working")]
        return tokens.index(job.token)

    async def open(self, files: int) -> Job:
        """Begin an upload.

        Args:
            files: how many are to come.

        Returns:
            The job.

        Raises:
            TooLargeError: if they are too many.
            InputError: if they are none.
            BusyError: if the server is full.
        """
        if files < 1:
            raise InputError("There is no file in this; choose an image")
        if files > MAX_FILES:
            raise TooLargeError(f"These are {files} files, more than the {MAX_FILES} that this server takes")
        if len(self._jobs) >= MAX_JOBS:
            idle = next((job for job in self._jobs.values() if job.state not in WATCHED), None)
            if idle is None:
                raise BusyError("The server has its hands full; try again in a few minutes")
            await self.remove(idle)
        token = secrets.token_urlsafe(16)
        job = self._jobs[token] = Job(self._root / token, token, files, 0.0)
        job.enter("receiving")
        job.folder.mkdir(mode=0o700)
        return job

    async def receive(
        self, job: Job, number: int, folder: int, suffix: str, chunks: AsyncIterator[bytes]
    ) -> None:
        """Take a file.

        Args:
            job: that it belongs to.
            number: of the file, from 1.
            folder: number of the folder that it was in.
            suffix: of its name.
            chunks: what it holds.

        Raises:
            TooLargeError: if the upload grows too large; it is removed.
            OutOfTurnError: if this file is not expected.
            GoneError: if the job was removed meanwhile.
        """
        if job.state != "receiving" or not 1 <= number <= job.expected or not 0 <= folder < MAX_FILES:
            raise OutOfTurnError("This file is not expected; start again")
        path = stored_path(job.folder / RECEIVED, folder, number, suffix)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("xb")
        except FileExistsError:
            raise OutOfTurnError("This file has arrived before; start again") from None
        try:
            with file:
                async for chunk in chunks:
                    self.find(job.token)
                    job.received += len(chunk)
                    if job.received > self.settings.max_upload:
                        break
                    file.write(chunk)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise MonaiSRError(f"The server's disk refused ({error.strerror}); make room there") from None
            raise
        if job.received > self.settings.max_upload:
            await self.remove(job)
            size = self.settings.max_upload / 2**20
            raise TooLargeError(f"This is more than the {size:g} MiB that this server takes; choose less")

    async def look(self, job: Job, is_watched: Callable[[], Awaitable[bool]]) -> None:
        """Find out what was received; what cannot be upscaled is removed.

        Args:
            job: whose files are all there.
            is_watched: whether somebody waits for the answer.

        Raises:
            MonaiSRError: if it cannot be upscaled.
            OutOfTurnError: if files are missing.
            GoneError: if the job is removed meanwhile.
        """
        there = sum(path.is_file() for path in job.folder.rglob("*"))
        if job.state != "receiving" or there < job.expected:
            raise OutOfTurnError("Some of the files did not arrive; start again")
        job.enter("looking")
        look = Look(job.folder, self.settings.max_upload)
        job.task = asyncio.create_task(self._looker.run(look, _silent))
        while not (await asyncio.wait({job.task}, timeout=_ASK))[0]:
            if not await is_watched():
                await self.remove(job)
            elif job.token in self._jobs:
                job.keep(ABANDONED)
        if job.task.cancelled():
            raise GoneError
        try:
            job.found = job.task.result()
        except MonaiSRError as error:
            await self.remove(job)
            raise type(error)(neutral(str(error), job.folder)) from None
        job.enter("ready")

    def start(self, job: Job, choice: Choice) -> None:
        """Have a job done when those before it are.

        Args:
            job: that was looked at.
            choice: with what.

        Raises:
            OutOfTurnError: if it is not ready.
            BusyError: if too many wait.
        """
        if job.state != "ready":
            raise OutOfTurnError("This image cannot be started now; start again")
        if sum(other.state == "waiting" for other in self._jobs.values()) >= MAX_WAITING:
            raise BusyError(f"{MAX_WAITING} images wait already; try again when one of them is done")
        # Whoever starts first is done first.
        self._jobs[job.token] = self._jobs.pop(job.token)
        job.choice = choice
        job.enter("waiting")
        job.task = asyncio.create_task(self._do(job, choice))

    async def _do(self, job: Job, choice: Choice) -> None:
        settings = self.settings

        def tell(doing: str, done: int, total: int) -> None:
            job.state, job.doing, job.done = "working", doing, done

        upscale = Upscale(job.folder, choice, settings.device, settings.memory, job.frames)
        try:
            job.made = await self._upscaler.run(upscale, tell)
        except MonaiSRError as error:
            job.message = neutral(str(error), job.folder)
            shutil.rmtree(job.folder, ignore_errors=True)
            job.enter("failed")
        else:
            job.enter("done")

    async def remove(self, job: Job) -> None:
        """Cancel a job and delete all that is there of it.

        Args:
            job: which one; it may be gone already.
        """
        self._jobs.pop(job.token, None)
        if job.task is not None and job.task.cancel():
            await asyncio.wait({job.task})
        shutil.rmtree(job.folder, ignore_errors=True)

    async def sweep(self) -> None:
        """Remove what has expired, for ever."""
        while True:
            await asyncio.sleep(_SWEEP)
            for job in [job for job in self._jobs.values() if job.expires < time.monotonic()]:
                await self.remove(job)

    async def warm(self) -> None:
        """Start the processes, so that the first image does not wait for their libraries."""
        await asyncio.gather(self._looker.run(_nothing, _silent), self._upscaler.run(warm, _silent))

    async def close(self) -> None:
        """End all work; the folder is left to whoever made it."""
        for job in list(self._jobs.values()):
            await self.remove(job)
        self._looker.stop()
        self._upscaler.stop()


def _nothing(tell: Tell) -> None:
    """To unpickle this loads all that a look needs."""


def _silent(doing: str, done: int, total: int) -> None:
    """A look tells nothing on its way."""
