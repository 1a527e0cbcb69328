"""Searching a real Orthanc, and servers that answer anything."""

from __future__ import annotations

import json
import logging

import pytest

from monai_sr.integrations.pacs import server
from monai_sr.integrations.pacs.session import PacsError
from tests.io.conftest import ROOT

JSON = {"Content-Type": "application/dicom+json"}


def element(value):
    return {"vr": "UI", "Value": [value]}


def test_series_and_instances_are_listed_page_by_page(pacs, empty_orthanc, make_dicom, monkeypatch):
    monkeypatch.setattr(server, "PAGE", 2)
    empty_orthanc.push(*(make_dicom(series, count=3, study=series % 2) for series in range(5, 10)))
    found = list(pacs.search())
    assert {(series.series_uid, series.count) for series in found} == {
        (f"{ROOT}.{series}", 3) for series in range(5, 10)
    }
    assert {(series.modality, series.description) for series in found} == {("MR", "T1 axial")}
    assert len(list(pacs.search(f"{ROOT}.1.1"))) == 3
    assert list(pacs.search(filters={"Modality": "CT"})) == []
    assert pacs.instances(f"{ROOT}.1.1", f"{ROOT}.5") == [f"{ROOT}.5.{index}" for index in (1, 2, 3)]
    assert pacs.instances(f"{ROOT}.1.1", "1.2.3") == []


def test_a_server_without_pages_is_asked_twice(proxy, through):
    entry = {"0020000D": element("1.2"), "0020000E": element("1.3")}
    proxy.fault = lambda request: request.answer(200, JSON, json.dumps([entry]).encode())
    assert [series.series_uid for series in through.search()] == ["1.3"]
    assert len(proxy.requests) == 2


def test_a_server_without_an_end_is_left(proxy, through, monkeypatch):
    monkeypatch.setattr(server, "MAX_RESULTS", 100)

    def fault(request):
        new = [{"00080018": element(f"1.{len(proxy.requests)}.{number}")} for number in range(30)]
        return request.answer(200, JSON, json.dumps(new).encode())

    proxy.fault = fault
    with pytest.raises(PacsError, match="over 100"):
        through.instances("1.2", "1.3")
    assert len(proxy.requests) == 4


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "text/html"}, b"<html>PLANTED sign in</html>"),
        (JSON, b"{"),
        (JSON, b"[" * 100_000),
        (JSON, b"[1]"),
        (JSON, b'"text"'),
        (JSON, b'[{"0020000E": 5}, 7]'),
        (JSON | {"Content-Encoding": "gzip"}, b"PLANTED"),
    ],
)
def test_an_answer_in_another_language_is_refused(proxy, through, headers, body):
    proxy.fault = lambda request: request.answer(200, headers, body)
    with pytest.raises(PacsError, match="does not answer a search as DICOMweb does"):
        list(through.search())


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1.2/3", "", None, 5, "1" * 65])
def test_a_uid_that_is_none_is_not_used(proxy, through, uid):
    entry = {"0020000D": element("1.2"), "0020000E": element(uid), "00080018": element(uid)}
    proxy.fault = lambda request: request.answer(200, JSON, json.dumps([entry]).encode())
    assert list(through.search()) == ([] if uid != 5 else [server.PacsSeries("1.2", "5")])
    if uid != 5:
        with pytest.raises(PacsError, match="UID is none"):
            through.instances("1.2", "1.3")


def test_what_a_server_warns_of_is_not_said(proxy, through, no_patient_data, caplog):
    caplog.set_level(logging.DEBUG)
    proxy.fault = lambda request: request.answer(200, JSON | {"Warning": "PLANTED"}, b"[]")
    assert list(through.search("1.2.3.4.5")) == []
    proxy.fault = lambda request: request.answer(400, {}, b"PLANTED")
    with pytest.raises(PacsError):
        list(through.search("1.2.3.4.5"))
    assert caplog.messages == []
