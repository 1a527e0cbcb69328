"""What is done with an upload, in a process of its own: a look at it, and its super-resolution."""

from __future__ import annotations

import logging
import re
import shutil
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from monai_sr.integrations.web.settings import Choice
from monai_sr.integrations.web.upload import IMAGES, RECEIVED, RESULT, image_in, neutral, unpacked
from monai_sr.integrations.web.worker import Tell
from monai_sr.io import check_output, list_series, open_volume
from monai_sr.io.dicom_types import DicomSource
from monai_sr.volume import Volume

if TYPE_CHECKING:
    from monai_sr.batch import Written
    from monai_sr.upscaler import Upscaler

MODELS = 2
"""How many networks stay in memory between jobs."""

MAX_NOTES = 5


@dataclass(frozen=True)
class Found:
    """One image or series of an upload.

    Args:
        frames: number of slices or pages.
        rows: of a frame.
        columns: of a frame.
        modality: of DICOM, else empty.
    """

    frames: int
    rows: int
    columns: int
    modality: str


@dataclass(frozen=True)
class Made:
    """What a job made.

    Args:
        download: the file to download.
        reports: the pages on its series, in their order.
        notes: what the library warned of.
    """

    download: Path
    reports: tuple[Path, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """Unpack an upload and read what it is, from headers where it is DICOM.

    Args:
        folder: of the job.
        max_bytes: of everything, unpacked.
    """

    folder: Path
    max_bytes: int

    def __call__(self, tell: Tell) -> list[Found]:
        """Do it.

        Args:
            tell: not called.

        Returns:
            What was found, at least one.

        Raises:
            InputError: if that cannot be upscaled.
        """
        images = self.folder / IMAGES
        unpacked(self.folder / RECEIVED, images, self.max_bytes)
        source = image_in(images)
        if not source.is_dir():
            return [self._describe(open_volume(source))]
        return [self._describe(series.read()) for series in list_series(source)]

    def _describe(self, volume: Volume) -> Found:
        modality = ""
        if isinstance(volume.source, DicomSource):
            check_output(volume, self.folder / RESULT)
            modality = str(volume.source.instances[0].header.get("Modality") or "")
        # A code is shown; whatever else somebody wrote there is not.
        frames, rows, columns = volume.array.shape
        return Found(frames, rows, columns, modality if re.fullmatch("[A-Z]{2,6}", modality) else "")


@dataclass(frozen=True)
class Upscale:
    """Super-resolve what `Look` found, draw its comparison and pack it for the download.

    Args:
        folder: of the job.
        choice: with what.
        device: where to compute.
        memory: bytes that computing may take.
        frames: of all series together.
    """

    folder: Path
    choice: Choice
    device: str
    memory: int
    frames: int

    def __call__(self, tell: Tell) -> Made:
        """Do it.

        Args:
            tell: called after each frame.

        Returns:
            What was made; the upload is gone.

        Raises:
            MonaiSRError: if it cannot be read, computed or written.
        """
        from monai_sr.batch import plan, run_job
        from monai_sr.evaluate import bicubic
        from monai_sr.report import write_report

        images = self.folder / IMAGES
        tell("loading", 0, self.frames)
        upscaler = _load(self.choice, self.device, self.memory)
        jobs, before = plan(image_in(images), self.folder / RESULT), 0
        written: list[Written] = []
        with _Notes(self.folder) as notes:
            for job in jobs:

                def progress(done: int, total: int, before: int = before) -> None:
                    tell("computing", before + done, self.frames)

                written.append(run_job(upscaler, job, progress=progress))
                before += written[-1].frames
        tell("drawing", self.frames, self.frames)
        reports = []
        for number, job in enumerate(jobs):
            reports.append(self.folder / f"report_{number}.html")
            finer = open_volume(job.destination)
            write_report(
                reports[-1],
                job.read(),
                finer,
                upscaler.provenance,
                interpolate=bicubic,
                consistency=written[number].consistency,
                findings=written[number].findings,
                compared=written[number].compared,
            )
        shutil.rmtree(images)
        return Made(_packed(self.folder / RESULT), tuple(reports), tuple(notes.texts))


def warm(tell: Tell) -> None:
    """Load what `Upscale` needs, which takes longer than an image.

    Args:
        tell: not called.
    """
    import monai_sr.batch
    import monai_sr.evaluate
    import monai_sr.report  # noqa: F401


@lru_cache(MODELS)
def _load(choice: Choice, device: str, memory: int) -> Upscaler:
    from monai_sr.upscaler import Upscaler

    return Upscaler.from_bundle(
        choice.root, choice.scale_factor, device=device, alpha=choice.alpha, memory=memory
    )


def _packed(result: Path) -> Path:
    """The only file of a folder, else all of them in a zip beside it."""
    files = sorted(path for path in result.rglob("*") if path.is_file())
    if len(files) == 1:
        return files[0]
    packed = result.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in files:
            archive.write(path, Path("super-resolved", path.relative_to(result)))
    shutil.rmtree(result)
    return packed


class _Notes(logging.Handler):
    """Collects what the library warns of, in words without paths."""

    def __init__(self, folder: Path) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self._folder = folder

    def emit(self, record: logging.LogRecord) -> None:
        text = neutral(record.getMessage(), self._folder)
        if text not in self.texts and len(self.texts) < MAX_NOTES:
            self.texts.append(text)

    def __enter__(self) -> _Notes:
        logging.getLogger("monai_sr").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("monai_sr").removeHandler(self)
