"""Heads of intervals are trained, calibrated and measured by the committed scripts."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from monai_sr.bundle import Bundle, find_bundle
from scripts import train_intervals
from scripts.benchmarks import coverage


@pytest.fixture
def bundle(tmp_path):
    """A copy of a released bundle, without what the committed scripts made for it."""
    root = tmp_path / "swift_srgan_xray"
    released = find_bundle(root.name).root
    for name in ("configs/inference.json", "configs/metadata.json", "models/model.pt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(released / name, root / name)
    (root / "docs").mkdir()
    return Bundle(root)


@pytest.fixture
def datalist(tmp_path):
    """Function from numbers of patients to a datalist of smooth noise, an image each."""

    def make(**parts):
        rng = np.random.default_rng(0)
        content = {}
        for part, count in parts.items():
            content[part] = []
            for number in range(count):
                image = gaussian_filter(rng.normal(size=(96, 96)), 1.5)
                path = tmp_path / f"{part}_{number}.png"
                Image.fromarray(np.uint16(30000 + 20000 * image / np.abs(image).max())).save(path)
                content[part].append({"label": path.name, "patient": f"{part}-{number}"})
        path = tmp_path / "datalist.json"
        path.write_text(json.dumps(content))
        return path

    return make


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(train_intervals, "WINDOWS", 4)
    monkeypatch.setattr(train_intervals.train, "__defaults__", (12,))
    monkeypatch.setattr(train_intervals, "LOGGED", 6)


def test_a_head_is_trained_calibrated_and_measured(bundle, datalist):
    images = datalist(training=2, validation=9, test=3)
    found = train_intervals.release(bundle, 2, images, seed=0)
    assert (found["unit"], found["units"], found["calibrated_on"]) == ("patient", 9, "validation")
    assert len((bundle.root / "docs" / "intervals_x2.csv").read_text().splitlines()) == 3
    hashes = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in bundle.root.glob("models/*")
    }
    assert found["weights_sha256"] == hashes
    card = bundle.root / "configs" / "metadata.json"
    content = json.loads(card.read_text()) | {"weights_sha256": hashes, "intervals": {"x2": found}}
    card.write_text(json.dumps(content))
    row = coverage.measure(Bundle(bundle.root), 2, images)
    assert row["all"]["mean"] == pytest.approx(0.9, abs=0.05)
    assert "| swift_srgan_xray | x2 | 9 patients | 3 (3 images) |" in coverage.table([row])


def test_too_few_for_validation_are_taken_together_each_unseen_by_its_head(bundle, datalist, monkeypatch):
    trained = []

    def train(data, scale, seed, iterations=2):
        trained.append({window.patient for window in data})
        return original(data, scale, seed, iterations)

    original = train_intervals.train
    monkeypatch.setattr(train_intervals, "train", train)
    found = train_intervals.release(bundle, 2, datalist(training=8, validation=2), seed=0)
    assert (found["units"], found["patients"]) == (10, 10)
    everyone, *folds = trained
    assert len(everyone) == 10
    assert [len(everyone - fold) for fold in folds] == [3, 3, 2, 2]
    assert set.union(*(everyone - fold for fold in folds)) == everyone
