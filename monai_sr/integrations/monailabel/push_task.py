"""MONAI Label's task that puts a finer series beside its source in the PACS."""

from __future__ import annotations

import time
import uuid
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from monailabel.interfaces.tasks.infer_v2 import InferType
from pydicom import dcmread

from monai_sr.batch import Job, run_job
from monai_sr.bundle import Bundle
from monai_sr.errors import InputError
from monai_sr.integrations.monailabel.checks import result_extension
from monai_sr.integrations.monailabel.image_file import write_empty_labelmap
from monai_sr.integrations.monailabel.pacs_store import PacsStore
from monai_sr.integrations.monailabel.upscale_task import UpscaleTask
from monai_sr.io import open_volume


class PushTask(UpscaleTask):
    """Super-resolve a series of the PACS into a derived one, and store that in the same study.

    Viewers ask for labels, so they get a labelmap without any, on the grid of their image.

    Args:
        bundle: the bundle.
        scale_factor: enlargement in plane.
        work: folder where results lie until they are sent.
        datastore: of the PACS.
    """

    def __init__(self, bundle: Bundle, scale_factor: int, work: Path, datastore: PacsStore) -> None:
        does = "stores the finer series in the study and gives an empty labelmap"
        super().__init__(bundle, scale_factor, work, InferType.SEGMENTATION, does)
        self.datastore = datastore

    def __call__(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Super-resolve a series and store the result; a second time nothing new is stored.

        Args:
            request: `image`, a folder of DICOM files; `result_extension` and `device` of the client.

        Returns:
            An empty labelmap in the work folder, and what was made: `series` is the SeriesInstanceUID.

        Raises:
            InputError: if the series or the format cannot be used.
            PacsError: if the PACS has not all of the new series in the end.
            MonaiSRError: if computing or writing fails; nothing is stored then.
        """
        start = time.monotonic()
        source = Path(request["image"])
        if not source.is_dir():
            raise InputError("Only a series of the PACS can be pushed: name one by its SeriesInstanceUID.")
        labelmap = (
            self.work / f"{uuid.uuid4().hex}{result_extension(request.get('result_extension'), source)}"
        )
        upscaler = self.upscaler(request.get("device"))
        with TemporaryDirectory(dir=self.work) as folder:
            run_job(upscaler, Job(partial(open_volume, source), Path(folder) / "series"))
            images = self.datastore.push(Path(folder, "series"))
            first = next(Path(folder, "series").iterdir())
            series = str(dcmread(first, stop_before_pixels=True).SeriesInstanceUID)
        write_empty_labelmap(open_volume(source), labelmap)
        return str(labelmap), self.told(upscaler, start) | {"series": series, "images": images}
