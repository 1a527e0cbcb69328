"""Storing in a real Orthanc, and in one that refuses."""

from __future__ import annotations

import json

import pytest

from monai_sr.integrations.pacs import storage
from monai_sr.integrations.pacs.address import parse_address
from monai_sr.integrations.pacs.server import Pacs
from monai_sr.integrations.pacs.session import PacsError, UnavailableError
from monai_sr.integrations.pacs.storage import store
from tests.integrations.orthanc import running_orthanc
from tests.integrations.pacs.proxy import faulty_proxy
from tests.io.conftest import ROOT

JSON = {"Content-Type": "application/dicom+json"}


def posts(proxy):
    return [request for request in proxy.requests if request.command == "POST"]


def test_a_series_is_stored_in_batches_and_again_without_harm(
    proxy, through, empty_orthanc, make_dicom, monkeypatch
):
    folder = make_dicom(count=7)
    monkeypatch.setattr(storage, "BATCH_BYTES", 3 * max(path.stat().st_size for path in folder.iterdir()))
    for _ in range(2):
        assert store(through, folder) == 7
        assert empty_orthanc.series() == {f"{ROOT}.5": 7}
    assert len(posts(proxy)) == 6


def test_images_that_are_not_taken_are_named(tmp_path, make_dicom):
    # Orthanc says of these that they are stored: only a look tells.
    script = tmp_path / "filter.lua"
    script.write_text(
        "function ReceivedInstanceFilter(dicom) return tonumber(dicom.InstanceNumber) ~= 99 end"
    )
    with running_orthanc(tmp_path / "orthanc", lua=[script]) as orthanc:
        with pytest.raises(PacsError, match=r"1 of 4 images \(IM1\), and 3 are stored: remove them"):
            store(Pacs(parse_address(orthanc.url), lambda seconds: None), make_dicom(count=4))
        assert orthanc.series() == {f"{ROOT}.5": 3}


@pytest.mark.parametrize("code", [200, 202, 409])
def test_a_refusal_says_why_and_ends_it(proxy, through, empty_orthanc, make_dicom, monkeypatch, code):
    folder = make_dicom(count=4)
    monkeypatch.setattr(storage, "BATCH_BYTES", 2 * max(path.stat().st_size for path in folder.iterdir()))
    failed = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA700]}}]}}
    proxy.fault = lambda request: (
        request.command == "POST" and request.answer(code, JSON, json.dumps(failed).encode())
    )
    with pytest.raises(
        PacsError, match=r"4 of 4 images \(IM0, IM1, IM2, others; failure A700\), and none is stored"
    ):
        store(through, folder)
    assert len(posts(proxy)) == 1
    assert empty_orthanc.series() == {}


def test_a_refusal_without_a_reason_is_one(proxy, through, make_dicom):
    proxy.fault = lambda request: request.command == "POST" and request.answer(400, {}, b"PLANTED")
    with pytest.raises(PacsError, match="answer 400"):
        store(through, make_dicom())


def test_a_refusal_of_what_is_there_is_none(proxy, through, pacs, make_dicom):
    folder = make_dicom()
    store(pacs, folder)
    proxy.fault = lambda request: request.command == "POST" and request.answer(409, {})
    assert store(through, folder) == 3


def test_an_answer_in_another_language_does_not_matter(proxy, through, empty_orthanc, make_dicom):
    def fault(request):
        if request.command == "GET":
            return False
        request.forward()
        return request.answer(200, {"Content-Type": "application/dicom+json"}, b"{PLANTED")

    proxy.fault = fault
    assert store(through, make_dicom()) == 3
    assert empty_orthanc.series() == {f"{ROOT}.5": 3}


def test_a_server_that_goes_away_halfway_is_said_to(proxy, through, empty_orthanc, make_dicom, monkeypatch):
    folder = make_dicom(count=4)
    monkeypatch.setattr(storage, "BATCH_BYTES", 2 * max(path.stat().st_size for path in folder.iterdir()))
    proxy.fault = lambda request: len(posts(proxy)) > 1 and request.answer(503, {})
    with pytest.raises(
        UnavailableError, match="of 4 images a part may be stored, and storing again completes"
    ):
        store(through, folder)
    assert empty_orthanc.series() == {f"{ROOT}.5": 2}
    proxy.fault = lambda request: False
    assert store(through, folder) == 4
    assert empty_orthanc.series() == {f"{ROOT}.5": 4}


def test_an_interruption_halfway_is_said_to_be_one(proxy, make_dicom, empty_orthanc):
    def interrupt(seconds):
        raise KeyboardInterrupt

    proxy.fault = lambda request: request.command == "POST" and request.answer(503, {})
    with pytest.raises(PacsError, match=r"Interrupted while storing .* of 3 images a part may be stored"):
        store(Pacs(parse_address(proxy.url), interrupt), make_dicom())


def test_what_was_stored_and_not_answered_is_stored_once(proxy, through, empty_orthanc, make_dicom):
    lost = [True]

    def fault(request):
        if request.command == "GET" or not lost:
            return False
        lost.pop()
        request.forward()
        return request.answer(502, {})

    proxy.fault = fault
    assert store(through, make_dicom()) == 3
    assert empty_orthanc.series() == {f"{ROOT}.5": 3}


def test_a_list_that_is_late_is_waited_for(orthanc, empty_orthanc, make_dicom):
    with faulty_proxy(orthanc.http_port) as proxy:
        waited = []
        proxy.fault = lambda request: (
            request.command == "GET" and len(waited) < 3 and request.answer(200, JSON, b"[]")
        )
        assert store(Pacs(parse_address(proxy.url), waited.append), make_dicom()) == 3
        assert len(waited) == 3
