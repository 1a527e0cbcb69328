"""The measure of the domain, and the check on labelled images."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from monai_sr.trust.domain import Domain
from monai_sr.volume import Source, Volume
from tests.bundles.commands import BUNDLES

measure = importlib.import_module("scripts.measure_domain")
benchmark = importlib.import_module("scripts.benchmarks.domain")


def volume(spacing=0.8):
    array = np.random.default_rng(0).integers(0, 900, (3, 65, 66)).astype(np.uint16)
    affine = np.diag([spacing, spacing, 4.0, 1.0])
    return Volume(array, affine, np.ones(3), np.zeros(3), (0, 65535), Source(), Path("image"))


def test_coarser_keeps_field_of_view_type_and_range():
    low = measure.coarser(volume(), "kspace", 2)
    assert low.array.shape == (3, 32, 33)
    assert low.array.dtype == np.uint16
    assert low.array.max() <= 899
    assert low.spacing == pytest.approx((1.6, 1.6, 4))
    assert low.affine[:3, 3] == pytest.approx([0.4, 0.4, 0])


def test_a_transposed_image_has_its_axes_exchanged():
    found = measure.measure(volume())
    turned = measure.transposed(measure.Measured("one", 1, "", found)).found
    assert turned["edge_down"] == found["edge_across"]
    assert turned["grain"] == -found["grain"]
    assert turned["noise"] == found["noise"]


def test_labels_follow_from_the_sampling():
    domain = Domain.from_card(json.loads((BUNDLES / "edsr_mri/configs/metadata.json").read_text()))
    assert benchmark.excess(volume(1.5), domain, 2) == 1
    assert benchmark.excess(volume(3.0), domain, 2) == pytest.approx(1.5)
    finer, coarser = benchmark.outside(volume(1.5), domain, 2)
    assert benchmark.excess(finer, domain, 2) == pytest.approx(2)
    assert benchmark.excess(coarser, domain, 2) == pytest.approx(2)


def test_what_is_committed_belongs_together_and_holds(monkeypatch):
    monkeypatch.setattr("sys.argv", ["domain.py", "--check"])
    assert benchmark.main() == 0
    rows = json.loads(benchmark.NUMBERS.read_text())["rows"]
    own = [row for row in rows if row["question"] == "domain"]
    missed = sum(row["trials"] - row["flagged"] for row in own if row["expected"])
    false = [row for row in own if row["expected"] is False]
    assert missed == 0
    assert sum(row["trials"] for row in false) >= 40
    assert sum(row["flagged"] for row in false) <= 0.05 * sum(row["trials"] for row in false)
