from __future__ import annotations

from pathlib import Path

import pytest

from tests.bundles.commands import BUNDLES, NAMES


@pytest.fixture(params=NAMES)
def bundle(request: pytest.FixtureRequest) -> Path:
    return BUNDLES / request.param
