"""MONAI Label's task that fine-tunes a bundle on the images of the datastore."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from monailabel.interfaces.tasks.train import TrainTask

from monai_sr.bundle import Bundle, weights_file
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.monailabel.local_store import LocalStore

_VALIDATION = 5
"""Every so many images one is kept to judge by."""

_LEARNING_RATE = 1e-4
"""An eighth of what EDSR is trained by, since the weights are good already."""

_LIMITS = {"max_epochs": (10, 1000), "iterations_per_epoch": (100, 10000)}
"""What a client may choose: by default, and at most."""


class FineTuneTask(TrainTask):
    """Train on from the released weights, with every image of the datastore as what is to be reached.

    The new weights go into a folder of their own and the server keeps serving the released ones: a gain on a
    few images of one's own, judged by the same images' kind, is for a person to accept. `monai-sr evaluate`
    and `monai-sr upscale --weights` take the file.

    Args:
        bundle: a bundle trained with a pixel loss.
        scale_factor: enlargement in plane.
        results: folder below which the new weights go.
    """

    def __init__(self, bundle: Bundle, scale_factor: int, results: Path) -> None:
        super().__init__(f"Fine-tune {bundle.name} x{scale_factor}; what is served stays as it is")
        self.bundle = bundle
        self.scale_factor = scale_factor
        self.results = results / f"{bundle.name}_x{scale_factor}"

    def config(self) -> dict[str, Any]:
        """What a client may choose."""
        return {name: default for name, (default, _) in _LIMITS.items()}

    def __call__(self, request: dict[str, Any], datastore: LocalStore) -> dict[str, Any]:
        """Fine-tune.

        Args:
            request: `max_epochs`, `iterations_per_epoch` and `device` of a client.
            datastore: the images.

        Returns:
            `weights`, the new file, from the folder of the results; `psnr`, of its epoch on the images that
            were kept apart, in dB.

        Raises:
            InputError: if there are too few images, or a choice is out of range.
            MonaiSRError: if training fails.
        """
        options = {name: _chosen(request, name) for name in _LIMITS}
        items = [
            {"label": str(datastore.source(name)), "patient": name}
            for name in sorted(datastore.list_images())
        ]
        if len(items) < 2:
            raise InputError("Fine-tuning needs two images, one of them to judge by: add some.")
        run = self.results / uuid.uuid4().hex
        run.mkdir(parents=True)
        datalist = run / "datalist.json"
        validation, training = (
            items[::_VALIDATION],
            [item for item in items if item not in items[::_VALIDATION]],
        )
        datalist.write_text(json.dumps({"training": training, "validation": validation}), encoding="utf-8")
        settings = options | {
            "bundle_root": self.bundle.root,
            "scale_factor": self.scale_factor,
            "initial_weights": weights_file(self.bundle.root, self.scale_factor),
            "datalist": datalist,
            "output_dir": run,
            "learning_rate": _LEARNING_RATE,
        }
        if str(request.get("device", "")).startswith("cpu"):
            settings["device"] = "cpu"
        config = self.bundle.root / "configs" / "train.json"
        command = [sys.executable, "-m", "monai.bundle", "run", "training", "--config_file", str(config)]
        command += [text for name, value in settings.items() for text in (f"--{name}", str(value))]
        # A process of its own: a training sets what the whole process computes by.
        with (run / "training.log").open("wb") as log:
            done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
        if done.returncode or not (run / "model.pt").is_file():
            raise MonaiSRError("The training failed: see training.log in the newest folder of its results.")
        with (run / "metrics.csv").open(newline="", encoding="utf-8") as table:
            psnr = max(float(row["val_psnr"]) for row in csv.DictReader(table) if row["val_psnr"])
        return {"weights": f"{run.name}/model.pt", "psnr": round(psnr, 3), "images": len(items)}


def _chosen(request: dict[str, Any], name: str) -> int:
    default, most = _LIMITS[name]
    value = request.get(name, default)
    if not isinstance(value, int) or not 1 <= value <= most:
        raise InputError(f"{name} must be from 1 to {most}: choose another.")
    return value
