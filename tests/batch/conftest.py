"""Archives made in code, and an upscaler that only repeats pixels."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from monai_sr.geometry import scale_affine
from monai_sr.volume import Provenance
from tests.io.conftest import header, save


class Repeating:
    """What an `Upscaler` does, by numpy alone, so that a forked process can do it, too."""

    provenance = Provenance(2, "repeating", "1.0", "ab" * 32, "0.1.0")
    uncertainty = None

    def stream(self, volume, progress=None):
        return dataclasses.replace(
            volume,
            array=np.asarray(volume.array).repeat(2, 1).repeat(2, 2),
            affine=scale_affine(volume.affine, 2),
        )


@pytest.fixture
def repeating():
    return Repeating()


@pytest.fixture
def add_series():
    """Function that writes a series of 12-bit images, one file each, into the given folders in turn."""

    def add(*folders, series=5, count=2, size=8, edit=lambda image, index: None):
        frames = np.random.default_rng(series).integers(0, 4096, (count, size, size), np.uint16)
        paths = []
        for index, frame in enumerate(frames):
            folder = folders[index % len(folders)]
            folder.mkdir(parents=True, exist_ok=True)
            image = header("MR", index, series, frame)
            image.BitsStored, image.HighBit = 12, 11
            edit(image, index)
            paths.append(save(image, frame, folder / f"IM{series}_{index}"))
        return paths

    return add


@pytest.fixture
def report():
    """Function from the output of a batch to the lines of its report."""
    return lambda out: [json.loads(line) for line in (out / "report.jsonl").read_text().splitlines()]
