"""What became of each image of an archive, on disk while the batch runs, so that it can be resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Literal

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.intervals import IntervalWidth
from monai_sr.io.atomic import atomic_file, remove_leftovers
from monai_sr.volume import Consistency

REPORT = "report.jsonl"
"""One JSON object a line and a line for each job, in the order in which they ended."""

SETTINGS = "batch.json"
"""What the batch was begun with."""

BEGUN = ".begun"
"""Names each job as it begins; locked while a batch runs, which ends with its process however that ends."""

Status = Literal["done", "skipped", "refused", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Args:
        status: done, skipped (there was nothing to do), refused (the input's fault) or failed.
        name: of the job, and of what it is to write: series_HASH or files/PATH.
        output: folder or file that was written, from the output folder; None where nothing was.
        sources: folders of the files of a series, or the one file, from the archive.
        files: number of files that it is made of.
        images: number of images, or frames, that were written.
        reason: in one sentence, above all why nothing was written; may be empty.
        seconds: time it took.
        consistency: of all frames that were compared with their sources.
        findings: what speaks against the result, each a clause with its numbers.
        interval: how wide the intervals about its pixels are, where they were wanted.
    """

    status: Status
    name: str
    output: str | None
    sources: tuple[str, ...]
    files: int
    images: int = 0
    reason: str = ""
    seconds: float = 0.0
    consistency: Consistency | None = None
    findings: tuple[str, ...] = ()
    interval: IntervalWidth | None = None


class Report:
    """The report of a batch while it runs; `open_report` makes it.

    Args:
        done: files of each output that is recorded and there.
        unfinished: names of jobs that began in an earlier run, and are not done.
        lines: where outcomes go.
        begun: where names of jobs go as they begin.
        settings: added to each line.
    """

    def __init__(
        self,
        done: dict[str, int],
        unfinished: set[str],
        lines: FileIO,
        begun: FileIO,
        settings: Mapping[str, Any],
    ) -> None:
        self.done = done
        self.unfinished = unfinished
        self._lines = lines
        self._begun = begun
        self._settings = settings

    def begin(self, name: str) -> None:
        """Note that a job begins.

        Args:
            name: its output, from the output folder.

        Raises:
            MonaiSRError: if the disk refuses.
        """
        _append(self._begun, os.fsencode(name) + b"\n")

    def add(self, outcome: Outcome) -> None:
        """Write a line; when this returns it stays, whatever happens to the process or the machine.

        Args:
            outcome: what became of a job.

        Raises:
            MonaiSRError: if the disk refuses.
        """
        _append(self._lines, _line(asdict(outcome) | dict(self._settings)).encode())
        if outcome.status == "done" and outcome.output is not None:
            self.done[outcome.output] = outcome.files


@contextmanager
def open_report(folder: Path, settings: Mapping[str, Any], resume: bool) -> Iterator[Report]:
    """Take an output folder for a batch, and put in order what an earlier run left there.

    Half-written output is removed. Of the report the lines of what is done remain; what was refused,
    skipped or failed is to be tried again.

    Args:
        folder: output of the batch, made if need be.
        settings: what decides the bytes of the output, to be the same in every run.
        resume: whether the folder may hold an earlier batch.

    Yields:
        The report.

    Raises:
        InputError: if the folder holds something else, a batch begun otherwise or one that still runs.
        MonaiSRError: if the disk refuses.
    """
    import fcntl  # which Windows has not, where only an archive needs it

    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; choose another output")
    try:
        if folder.exists() and not (folder / SETTINGS).exists() and _visible(folder):
            raise InputError(f"{folder} is not empty and holds no batch; choose another output")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / BEGUN).open("a+b", buffering=0) as begun:
            try:
                fcntl.flock(begun, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"{folder} is in use by another batch; wait until it ends") from None
            _settle(folder / SETTINGS, settings, resume)
            remove_leftovers(folder)
            kept = {line["output"]: line for line in _read(folder / REPORT) if line["status"] == "done"}
            kept = {output: line for output, line in kept.items() if (folder / output).exists()}
            with atomic_file(folder / REPORT) as partial:
                partial.write_text("".join(map(_line, kept.values())))
            begun.seek(0)
            names = set(os.fsdecode(begun.read()).splitlines())
            done = {output: line["files"] for output, line in kept.items()}
            with (folder / REPORT).open("ab", buffering=0) as lines:
                yield Report(done, names - done.keys(), lines, begun, settings)
    except OSError as error:
        raise MonaiSRError(f"{folder} could not be written ({error.strerror}); check the disk") from error


def _visible(folder: Path) -> bool:
    return any(not entry.name.startswith(".") for entry in folder.iterdir())


def _settle(path: Path, settings: Mapping[str, Any], resume: bool) -> None:
    if not path.exists():
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(settings, indent=2) + "\n")
        return
    if not resume:
        raise InputError(
            f"{path.parent} holds an earlier batch; add --resume to continue it, or choose another output"
        )
    try:
        earlier = dict(json.loads(path.read_text()))
    except (TypeError, ValueError):
        raise InputError(f"{path} is damaged; choose another output") from None
    changed = [key for key in settings if earlier.get(key) != settings[key]]
    if changed:
        # What `auto` takes differs between machines.
        runtimes = {str(found.get("computation")).split(",")[0] for found in (earlier, settings)}
        options = " --runtime and --precision" if len(runtimes) > 1 else ""
        raise InputError(
            f"{path.parent} was begun with another {' and '.join(changed)} (see {path.name} there); "
            f"give the same{options}, or choose another output"
        )


def _read(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for text in path.read_text(errors="replace").splitlines():
            # A kill may tear the last line.
            with suppress(ValueError):
                yield json.loads(text)


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps(values) + "\n"


def _append(file: FileIO, line: bytes) -> None:
    try:
        written = file.write(line)
        os.fsync(file)
    except OSError as error:
        raise MonaiSRError(f"{file.name} could not be written ({error.strerror}); check the disk") from error
    if written != len(line):
        raise MonaiSRError(f"{file.name} could not be written (the disk is full); make room, then resume")
