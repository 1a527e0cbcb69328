from __future__ import annotations

from pathlib import Path

import pytest

from tests.bundles.commands import BUNDLES, NAMES, RELEASED


@pytest.fixture(params=NAMES)
def bundle(request: pytest.FixtureRequest) -> Path:
    """Each bundle, trained or not."""
    return BUNDLES / request.param


@pytest.fixture(params=RELEASED)
def released(request: pytest.FixtureRequest) -> Path:
    """Each bundle that has weights."""
    return BUNDLES / request.param


@pytest.fixture(params=["edsr_mri", "srgan_mri"])
def either(request: pytest.FixtureRequest) -> Path:
    """One bundle of each kind of training; the others' configurations are compiled from the same parts."""
    return BUNDLES / request.param
