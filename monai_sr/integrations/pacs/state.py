"""What a watcher must not forget: which series were refused, which failed and how often."""

from __future__ import annotations

import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_sr.errors import InputError, MonaiSRError

FILE = "watch.sqlite3"

ATTEMPTS = 8
"""How often a series is tried that fails."""

FIRST_WAIT = 10.0
"""Seconds until a series is tried again that failed once; twice as many after each further time."""

_TABLE = """CREATE TABLE IF NOT EXISTS series (
    name TEXT, task TEXT, images INTEGER, attempts INTEGER, status TEXT, reason TEXT, retry_at REAL,
    PRIMARY KEY (name, task))"""


@dataclass(frozen=True)
class Entry:
    """What is known of a series that is not done.

    Args:
        images: how many it had.
        attempts: how often it was begun.
        status: begun, failed, refused or skipped.
        reason: why, in a sentence without anything of the patient.
        retry_at: when it may be tried again, in seconds since 1970.
    """

    images: int
    attempts: int
    status: str
    reason: str = ""
    retry_at: float = 0.0

    def is_over(self, images: int) -> bool:
        """Whether it is not to be tried again as long as it has so many images."""
        if self.images != images:
            return False
        return self.status in ("refused", "skipped") or self.attempts >= ATTEMPTS


class State:
    """A database of one table, which one watcher at a time may use and no end of a process can damage.

    Its `work` is a folder for what is only needed for the while, emptied of what a killed watcher left.

    Args:
        folder: where it is; made if need be.
        task: what is done to the series, since another task may succeed.

    Raises:
        InputError: if another watcher uses it, or the folder cannot be used.
    """

    def __init__(self, folder: Path, task: str) -> None:
        self._task = task
        self._path = folder / FILE
        self.work = folder / "work"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            # Held until the process ends, however it ends.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("BEGIN EXCLUSIVE")
            self._database.execute(_TABLE)
            self._database.execute("COMMIT")
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir(exist_ok=True)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise InputError(
                    f"{folder} is in use by another watcher: give each its own --state."
                ) from None
            raise InputError(f"{self._path} cannot be opened ({error}): choose another --state.") from None
        except (sqlite3.DatabaseError, OSError):
            raise InputError(f"{self._path} cannot be used: choose another --state.") from None

    def get(self, name: str) -> Entry | None:
        """What is known of a series.

        Args:
            name: series_HASH.

        Returns:
            The entry, or None.

        Raises:
            MonaiSRError: if the disk refuses.
        """
        query = "SELECT images, attempts, status, reason, retry_at FROM series WHERE name = ? AND task = ?"
        rows = self._execute(query, name, self._task)
        return Entry(*rows[0]) if rows else None

    def begin(self, name: str, images: int) -> None:
        """Note that a series is begun, in case that it ends the process.

        Args:
            name: series_HASH.
            images: how many it has.

        Raises:
            MonaiSRError: if the disk refuses.
        """
        before = self.get(name)
        attempts = before.attempts if before and before.images == images else 0
        self._put(name, Entry(images, attempts + 1, "begun"))

    def fail(self, name: str, reason: str) -> Entry:
        """Note that a series that was begun failed, and is to be tried again later.

        Args:
            name: series_HASH.
            reason: without anything of the patient.

        Returns:
            The entry.

        Raises:
            MonaiSRError: if the disk refuses.
        """
        begun = self.get(name) or Entry(0, 1, "begun")
        retry_at = time.time() + FIRST_WAIT * 2 ** (begun.attempts - 1)
        entry = Entry(begun.images, begun.attempts, "failed", reason, retry_at)
        self._put(name, entry)
        return entry

    def settle(self, name: str, images: int, status: str, reason: str) -> None:
        """Note that a series is not to be tried again.

        Args:
            name: series_HASH.
            images: how many it has.
            status: refused or skipped.
            reason: without anything of the patient.

        Raises:
            MonaiSRError: if the disk refuses.
        """
        self._put(name, Entry(images, 0, status, reason))

    def restore(self, name: str, entry: Entry | None) -> None:
        """Take back that a series was begun: it is done, or the attempt does not count.

        Args:
            name: series_HASH.
            entry: what was known before, or None to know nothing of it.

        Raises:
            MonaiSRError: if the disk refuses.
        """
        if entry is None:
            self._execute("DELETE FROM series WHERE name = ? AND task = ?", name, self._task)
        else:
            self._put(name, entry)

    def close(self) -> None:
        """Give the folder free."""
        self._database.close()

    def _put(self, name: str, entry: Entry) -> None:
        self._execute(
            "INSERT OR REPLACE INTO series (name, task, images, attempts, status, reason, retry_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(name, self._task, entry.images, entry.attempts, entry.status, entry.reason, entry.retry_at),
        )

    def _execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise MonaiSRError(f"{self._path} could not be written ({error}): check the disk.") from None
