from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monai_sr.evaluate import bicubic
from monai_sr.geometry import scale_affine
from monai_sr.intervals import IntervalWidth
from monai_sr.io import open_volume
from monai_sr.report import write_report
from monai_sr.sample import sample_series_dir
from monai_sr.volume import Provenance, Source, Volume

PROVENANCE = Provenance(2, "some_bundle", "1.2.3", "ab" * 32, "9.8.7", computation="torch float32")


def finer(low, seed=0):
    """A volume twice as fine whose values every test knows: bicubic and some of what is not there."""
    frames = bicubic(np.asarray(low.array), 2) + np.random.default_rng(seed).normal(
        0, 60, (len(low.array), *(2 * size for size in low.array.shape[1:]))
    )
    stored = np.rint(frames).clip(*low.stored_range).astype(low.array.dtype)
    return replace(low, array=stored, affine=scale_affine(low.affine, 2))


def volume(array, **options):
    count = len(array)
    values = {"slope": np.ones(count), "intercept": np.zeros(count), "stored_range": (-32768, 32767)}
    return Volume(array, np.eye(4), source=Source(), path=None, **(values | options))


@pytest.fixture(scope="session")
def low():
    return open_volume(sample_series_dir())


@pytest.fixture(scope="session")
def high(low):
    return finer(low)


@pytest.fixture(scope="session")
def interpolated(low):
    return np.rint(bicubic(np.asarray(low.array), 2)).clip(*low.stored_range)


@pytest.fixture(scope="session")
def half_width(high):
    """Half-widths of a smooth kind, but for one pixel of the slice that is shown first."""
    frames = np.broadcast_to(np.linspace(0, 200, high.array.shape[2], dtype=np.float32), high.array.shape)
    frames = frames.copy()
    frames[6, 190, 165] = 1000
    return frames


@pytest.fixture(scope="session")
def report_with_intervals(low, high, half_width, tmp_path_factory):
    path = tmp_path_factory.mktemp("intervals") / "report.html"
    interval = IntervalWidth(0.9, "kspace", 99.5)
    options = {"interval": interval, "half_width": half_width, "interpolate": bicubic}
    write_report(path, low, high, PROVENANCE, **options)
    return path


@pytest.fixture(scope="session")
def report(low, high, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, low, high, PROVENANCE, interpolate=bicubic)
    return path
