"""An unattended service: every new series of a PACS that is wanted gets a finer one beside it, once."""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from pathlib import Path
from threading import Event

from monai_sr.batch.archive import series_name
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.pacs.rules import Rules, UnwantedError
from monai_sr.integrations.pacs.server import Pacs, PacsSeries
from monai_sr.integrations.pacs.session import AccessError, MissingError, PacsError, UnavailableError
from monai_sr.integrations.pacs.state import ATTEMPTS, State
from monai_sr.integrations.pacs.transfer import SkippedError, transfer
from monai_sr.io import DicomOutput
from monai_sr.io.dicom_derive import derived_uid
from monai_sr.upscaler import Upscaler

LONGEST_WAIT = 60.0
"""Most seconds between two questions to a PACS that is down."""

_logger = logging.getLogger(__name__)


class StoppedError(BaseException):
    """The watcher was told to end, which no handler of errors may swallow."""


class Stop:
    """Tells a watcher to end, from a signal or another thread; it does so where nothing is left half-done."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        """End soon."""
        self._event.set()

    def pause(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: how long.

        Raises:
            StoppedError: as soon as the watcher is to end.
        """
        if self._event.wait(seconds):
            raise StoppedError

    def check(self, *_: object) -> None:
        """Raise StoppedError if the watcher is to end; takes what those are told who watch progress."""
        self.pause(0)


class Watcher:
    """Upscales series of one PACS into another, or into the same.

    What is done is decided from the PACS: a derived series has UIDs that follow from its source, so one that
    stands there whole is done, and storing it again changes nothing.

    Args:
        upscaler: what super-resolves.
        source: PACS that is watched; its `pause` is that of `stop`.
        target: PACS that gets the derived series.
        state: of series that cannot be done.
        rules: which series are wanted.
        stop: ends it.
        stable_seconds: how long the number of a series' images must not have changed.
        dicom: how the derived series are written.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        source: Pacs,
        target: Pacs,
        state: State,
        rules: Rules,
        stop: Stop,
        stable_seconds: float,
        dicom: DicomOutput | None = None,
    ) -> None:
        self._upscaler, self._source, self._target = upscaler, source, target
        self._state, self._rules, self._stop, self._dicom = state, rules, stop, dicom
        self._stable_seconds = stable_seconds
        # Number of images of each series, and since when; and of those with which nothing is left to do.
        self._counts: dict[str, tuple[int, float]] = {}
        self._settled: dict[str, int] = {}

    def run(self, interval: float) -> None:
        """Watch until told to stop.

        Args:
            interval: seconds between two looks at the PACS.

        Raises:
            StoppedError: when told to.
            MonaiSRError: if the credentials are refused, or the disk refuses.
        """
        wait, is_down = 1.0, False
        # A server that never answered well may not be the right one; later, a proxy may stand in for it.
        passing: tuple[type[MonaiSRError], ...] = (UnavailableError,)
        while True:
            try:
                self._look()
            except passing as error:
                if not is_down:
                    _logger.warning("%s; waiting for it", str(error).rstrip("."))
                is_down, wait = True, min(2 * wait, LONGEST_WAIT)
                self._stop.pause(wait)
                continue
            if is_down:
                _logger.info("%s answers again", self._source.address)
            wait, is_down, passing = 1.0, False, (PacsError, MissingError)
            self._stop.pause(interval)

    def run_once(self) -> Counter[str]:
        """Do what is there and stays unchanged for `stable_seconds`.

        Returns:
            How many series were done, skipped, refused and failed.

        Raises:
            StoppedError: when told to stop.
            MonaiSRError: if a PACS does not answer, or the disk refuses.
        """
        self._find()
        self._stop.pause(self._stable_seconds)
        return self._look()

    def _look(self) -> Counter[str]:
        """Do what can be done now."""
        counts: Counter[str] = Counter()
        for series, images in self._find():
            self._stop.check()
            if status := self._handle(series, images):
                counts[status] += 1
        return counts

    def _find(self) -> list[tuple[PacsSeries, int]]:
        """Series that are stable and not settled, with their numbers of images; the unlucky ones last."""
        now = time.monotonic()
        listed = list(self._source.search(filters=self._rules.filters()))
        ours = {self._derived(series) for series in listed}
        counts, found = {}, []
        for series in listed:
            uid = series.series_uid
            if uid in ours or not self._rules.match(series):
                continue
            images = series.count
            if images is None:
                images = len(self._source.instances(series.study_uid, uid))
            before = self._counts.get(uid)
            counts[uid] = before if before and before[0] == images else (images, now)
            if images and now - counts[uid][1] >= self._stable_seconds and self._settled.get(uid) != images:
                found.append((series, images))
        self._counts = counts
        self._settled = {uid: self._settled[uid] for uid in self._settled.keys() & counts.keys()}
        entries = {series: self._state.get(_name(series)) for series, _ in found}
        return sorted(found, key=lambda each: entry.attempts if (entry := entries[each[0]]) else 0)

    def _handle(self, series: PacsSeries, images: int) -> str:
        """What became of a series; empty if there was nothing to do, or not yet."""
        name = _name(series)
        before = self._state.get(name)
        if before and before.is_over(images):
            self._settled[series.series_uid] = images
            return ""
        if before and before.images == images and before.retry_at > time.time():
            return ""
        if len(self._target.instances(series.study_uid, self._derived(series))) >= images:
            self._state.restore(name, None)
            self._settled[series.series_uid] = images
            return ""
        self._state.begin(name, images)
        try:
            self._transfer(series)
        except StoppedError:
            self._state.restore(name, before)
            raise
        except SkippedError as reason:
            if isinstance(reason, UnwantedError):
                self._state.restore(name, None)
            else:
                self._state.settle(name, images, "skipped", str(reason))
            _logger.info("%s is skipped: %s", name, reason)
            status = "skipped"
        except UnavailableError as error:
            if self._is_down():
                self._state.restore(name, before)
                raise
            return self._failed(name, str(error))
        except AccessError as error:
            return self._failed(name, str(error))
        except InputError as error:
            self._state.settle(name, images, "refused", str(error))
            _logger.warning("%s is refused: %s", name, error)
            status = "refused"
        except MonaiSRError as error:
            return self._failed(name, str(error))
        except Exception as error:
            # Whose message may hold anything of the patient.
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}, line {place.lineno}"
            return self._failed(name, f"{type(error).__name__} in {where}, which was not expected")
        else:
            self._state.restore(name, None)
            status = "done"
        self._settled[series.series_uid] = images
        return status

    def _transfer(self, series: PacsSeries) -> None:
        start = time.monotonic()
        frames = transfer(
            self._upscaler,
            self._source,
            series,
            self._target,
            dicom=self._dicom,
            progress=self._stop.check,
            check=self._rules.check,
            work=self._state.work,
        )
        _logger.info("%s: %d images in %.1f s", _name(series), frames, time.monotonic() - start)

    def _failed(self, name: str, reason: str) -> str:
        entry = self._state.fail(name, reason)
        last = "; it is not tried again" if entry.attempts >= ATTEMPTS else ""
        _logger.warning("%s failed (%d of %d times): %s%s", name, entry.attempts, ATTEMPTS, reason, last)
        return "failed"

    def _is_down(self) -> bool:
        """Whether a PACS answers nothing, rather than not giving or taking one series."""
        try:
            for pacs in (self._source, self._target):
                pacs.instances("1.2", "1.2")
        except UnavailableError:
            return True
        except MonaiSRError:
            pass
        return False

    def _derived(self, series: PacsSeries) -> str:
        return derived_uid(series.series_uid, "series", self._upscaler.provenance)


def _name(series: PacsSeries) -> str:
    return series_name(series.study_uid, series.series_uid)
