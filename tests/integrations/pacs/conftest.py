"""A real Orthanc for all tests of a module, a faulty proxy before it, and series made in code."""

from __future__ import annotations

import numpy as np
import pytest

from monai_sr.integrations.pacs import session
from monai_sr.integrations.pacs.address import parse_address
from monai_sr.integrations.pacs.server import Pacs
from tests.batch.conftest import Repeating
from tests.integrations.orthanc import running_orthanc
from tests.integrations.pacs.proxy import faulty_proxy
from tests.io.conftest import ROOT, header, save


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture
def empty_orthanc(orthanc):
    for study in orthanc.get("/studies"):
        orthanc.get(f"/studies/{study}", "DELETE")
    return orthanc


@pytest.fixture
def proxy(orthanc):
    with faulty_proxy(orthanc.http_port) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch):
    """Tests wait little, and take no credentials from outside."""
    monkeypatch.setattr(session, "WAITS", (0.05, 0.1))
    for name in (session.TOKEN, session.USER, session.PASSWORD, "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", "/nonexistent")


@pytest.fixture
def pacs(empty_orthanc):
    return Pacs(parse_address(empty_orthanc.url))


@pytest.fixture
def through(proxy):
    """The same PACS, through the proxy."""
    return Pacs(parse_address(proxy.url))


@pytest.fixture
def repeating():
    return Repeating()


@pytest.fixture
def make_dicom(tmp_path):
    """Function that writes a series and returns its folder."""

    def make(series=5, count=3, size=8, study=1, edit=lambda image: None):
        folder = tmp_path / f"source_{series}"
        folder.mkdir()
        frames = np.random.default_rng(series).integers(0, 4096, (count, size, size), np.uint16)
        for index, frame in enumerate(frames):
            image = header("MR", index, series, frame)
            image.StudyInstanceUID = f"{ROOT}.1.{study}"
            image.BitsStored, image.HighBit = 12, 11
            edit(image)
            save(image, frame, folder / f"IM{index}")
        return folder

    return make
