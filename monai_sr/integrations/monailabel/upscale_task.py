"""MONAI Label's task that answers an image by a finer image."""

from __future__ import annotations

import time
import uuid
from functools import partial
from pathlib import Path
from typing import Any

from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from monai_sr.batch import Job, run_job
from monai_sr.batch.pipeline import ahead
from monai_sr.bundle import Bundle
from monai_sr.integrations.monailabel.checks import PICTURES, result_extension
from monai_sr.integrations.monailabel.image_file import write_image_file
from monai_sr.io import open_volume
from monai_sr.runtimes import choose_device
from monai_sr.upscaler import Upscaler


class UpscaleTask(InferTask):
    """Super-resolve one image with one bundle at one scale; the network is loaded when it is first asked for.

    Args:
        bundle: the bundle.
        scale_factor: enlargement in plane.
        work: folder where results lie until they are sent.
        kind: what MONAI Label's viewers take it for.
        does: the second half of the description.
    """

    def __init__(
        self,
        bundle: Bundle,
        scale_factor: int,
        work: Path,
        kind: InferType = InferType.OTHERS,
        does: str = "gives the finer image",
    ) -> None:
        description = f"Super-resolution x{scale_factor} in plane by {bundle.name} {bundle.version}: {does}"
        super().__init__(type=kind, labels=[], dimension=3, description=f"{description}. Not for diagnosis")
        self.bundle = bundle
        self.scale_factor = scale_factor
        self.work = work
        self._upscalers: dict[str, Upscaler] = {}

    def is_valid(self) -> bool:
        """Whether MONAI Label may list it."""
        return True

    def upscaler(self, device: object) -> Upscaler:
        """What super-resolves, kept for the next image.

        Args:
            device: as a client names it; what begins with `cpu` is computed there, anything else where it
                is fastest.

        Returns:
            The upscaler.

        Raises:
            InputError: if the weights are not there or damaged.
        """
        place = choose_device("cpu" if str(device).startswith("cpu") else "auto").type
        if place not in self._upscalers:
            self._upscalers[place] = Upscaler.from_bundle(self.bundle.root, self.scale_factor, device=place)
        return self._upscalers[place]

    def __call__(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Super-resolve an image.

        Args:
            request: `image`, a file or a folder of DICOM files; the client's `result_extension` and `device`.
                What else it sends is for segmentations: a viewer's `result_dtype` would clip an image.

        Returns:
            A new file in the work folder, and what made it.

        Raises:
            InputError: if the image or the format cannot be used.
            MonaiSRError: if computing or writing fails; nothing is left then.
        """
        start = time.monotonic()
        source = Path(request["image"])
        extension = result_extension(request.get("result_extension"), source)
        upscaler = self.upscaler(request.get("device"))
        result = self.work / f"{uuid.uuid4().hex}{extension}"
        if extension in PICTURES or source.name.lower().endswith(extension):
            run_job(upscaler, Job(partial(open_volume, source), result))
        else:
            volume = open_volume(source)
            with ahead(volume) as read, ahead(upscaler.stream(read)) as finer:
                write_image_file(finer, result)
        return str(result), self.told(upscaler, start)

    def told(self, upscaler: Upscaler, start: float) -> dict[str, Any]:
        """What a client is told beside the file.

        Args:
            upscaler: what was used.
            start: when the task began, by `time.monotonic`.

        Returns:
            JSON.
        """
        made = upscaler.provenance
        return {
            "label_names": self.labels,
            "latencies": {"total": round(time.monotonic() - start, 2)},
            "scale_factor": made.scale_factor,
            "bundle": made.bundle,
            "bundle_version": made.bundle_version,
            "weights_sha256": made.weights_sha256,
            "computation": made.computation,
        }
