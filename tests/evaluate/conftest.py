"""A small dataset of three patients with structure at every scale."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter


def phantom(seed: int, shape: tuple[int, int, int], n_empty: int = 0) -> np.ndarray:
    """Values in [0, 1000] with rows, columns and frames; the first frames are empty."""
    generator = np.random.default_rng(seed)
    values = np.stack(
        [
            gaussian_filter(generator.random(shape[:2]), 3) * 4
            + gaussian_filter(generator.random(shape[:2]), 1)
            for _ in range(shape[2])
        ],
        axis=-1,
    )
    values = (values - values.min()) / np.ptp(values) * 1000
    values[..., :n_empty] = 0
    return values.astype(np.int16)


def save_nifti(path: Path, values: np.ndarray, slope: float = 1.0) -> Path:
    """Write stored values with their slope."""
    image = nib.Nifti1Image(values, np.diag([0.8, 0.8, 5.0, 1.0]))
    image.header.set_slope_inter(slope, 0)
    nib.save(image, path)
    return path


@pytest.fixture
def write_nifti(tmp_path) -> Callable[..., Path]:
    """Function that writes an array as a file of the temporary folder."""

    def write(name: str, values: np.ndarray, slope: float = 1.0) -> Path:
        return save_nifti(tmp_path / name, values, slope)

    return write


def make_datalist(folder: Path) -> Path:
    """JSON of three test patients: one with two files, one with empty slices."""
    save_nifti(folder / "a1.nii.gz", phantom(1, (49, 66, 3)))
    save_nifti(folder / "a2.nii.gz", phantom(2, (48, 64, 2)))
    save_nifti(folder / "b.nii.gz", phantom(3, (64, 48, 4), n_empty=2))
    save_nifti(folder / "c.nii.gz", phantom(4, (52, 52, 3)))
    items = [("a1", "SMITH"), ("b", "JONES"), ("a2", "SMITH"), ("c", "BROWN")]
    path = folder / "datalist.json"
    path.write_text(
        json.dumps(
            {
                "training": [{"label": "unused.nii.gz", "patient": "OTHER"}],
                "test": [{"label": f"{name}.nii.gz", "patient": patient} for name, patient in items],
            }
        )
    )
    return path


@pytest.fixture
def datalist(tmp_path) -> Path:
    """The dataset in the test's own folder."""
    return make_datalist(tmp_path)


@pytest.fixture(scope="session")
def shared_datalist(tmp_path_factory) -> Path:
    """The dataset for tests that only read it."""
    return make_datalist(tmp_path_factory.mktemp("dataset"))


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time: tests of numbers go without."""
    monkeypatch.setattr("monai_sr.evaluate.evaluation.save_figure", lambda figure, path: None)
