"""A server for the tests of the page, and the images that they send."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from monai_sr.io import read_volume
from monai_sr.sample import sample_series_dir
from tests.integrations.web.running import Running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("server"), "--max-upload", "4M")
    yield running
    running.end()


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a PNG, a NIfTI and a DICOM series, whose names tell a patient's."""
    folder = tmp_path_factory.mktemp("images")
    frames = read_volume(sample_series_dir()).array[4:7, 60:124, 40:96].astype(np.uint16)
    Image.fromarray(frames[1] * 16).save(folder / "PLANTED.png")
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(frames.transpose(2, 1, 0), affine), folder / "PLANTED.nii.gz")
    series = folder / "PLANTED"
    series.mkdir()
    for path in sorted(sample_series_dir().iterdir())[:3]:
        shutil.copy(path, series / f"PLANTED_{path.name}")
    return folder


@pytest.fixture(scope="session")
def png(images: Path) -> bytes:
    return (images / "PLANTED.png").read_bytes()


@pytest.fixture(scope="session")
def large_tiff() -> bytes:
    """One that takes a while, of many pages."""
    pages = [
        Image.fromarray(np.random.default_rng(n).integers(0, 255, (256, 256), np.uint8)) for n in range(40)
    ]
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    return file.getvalue()
