from __future__ import annotations

import pytest
import torch

from monai_sr.bundle import find_bundle
from monai_sr.upscaler import Upscaler
from scripts import release_gate
from tests.test_upscaler import Function


@pytest.fixture
def network(monkeypatch):
    """Function that puts another network in the place of every bundle's."""

    def put(function):
        monkeypatch.setattr(
            release_gate.Upscaler, "from_bundle", lambda *args, **options: Upscaler(Function(function))
        )

    return put


def square(finer):
    finer = finer.clone()
    finer[..., 90:100, 90:100] += 0.3
    return finer


@pytest.mark.parametrize(
    ("function", "holds"), [(lambda finer: finer, True), (lambda finer: torch.roll(finer, 1, -1), False)]
)
def test_a_shift_fails(network, function, holds):
    network(function)
    shift, again = release_gate.check_geometry(find_bundle("edsr_mri"), 2)
    assert shift.holds == holds
    assert again.holds


def test_another_result_each_time_fails(network):
    network(lambda finer: finer + torch.rand(1))
    _, again = release_gate.check_geometry(find_bundle("edsr_mri"), 2)
    assert not again.holds


def test_a_structure_from_nowhere_fails(network):
    network(square)
    (made_up,) = release_gate.check_phantoms(find_bundle("edsr_mri"), 2)
    assert not made_up.holds


def test_precision_that_nobody_measured_fails():
    bundle = find_bundle("edsr_mri")
    assert [check.holds for check in release_gate.check_precision(bundle, 2)] == [True]
    assert [check.holds for check in release_gate.check_precision(bundle, 8)] == [False]
