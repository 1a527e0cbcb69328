"""Series from a real Orthanc, and from one whose answers are tampered with."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pydicom import dcmread

from monai_sr.integrations.pacs import retrieval
from monai_sr.integrations.pacs.address import parse_address
from monai_sr.integrations.pacs.retrieval import retrieve
from monai_sr.integrations.pacs.server import Pacs, PacsSeries
from monai_sr.integrations.pacs.session import MissingError, PacsError, UnavailableError
from monai_sr.integrations.pacs.storage import store
from monai_sr.sample import sample_series_dir
from tests.io.conftest import ROOT

SERIES = PacsSeries(f"{ROOT}.1.1", f"{ROOT}.5", count=3)


def of_image(request):
    return request.path.rpartition("/instances/")[2].startswith(ROOT)


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


@pytest.fixture
def pushed(empty_orthanc, make_dicom):
    folder = make_dicom()
    empty_orthanc.push(folder)
    return folder


def test_a_series_is_fetched_byte_by_byte(pacs, empty_orthanc, target):
    empty_orthanc.push(sample_series_dir())
    seen = []
    retrieve(pacs, next(pacs.search()), target, seen.append)
    assert [path.name for path in seen] == [f"{number:05d}.dcm" for number in range(1, 13)]
    wanted = {dcmread(path).SOPInstanceUID: path for path in sample_series_dir().iterdir()}
    for path in target.iterdir():
        fetched, stored = dcmread(path), dcmread(wanted.pop(dcmread(path).SOPInstanceUID))
        assert fetched == stored
        assert fetched.file_meta.TransferSyntaxUID == stored.file_meta.TransferSyntaxUID
    assert wanted == {}


def test_a_compressed_series_stays_compressed(pacs, make_dicom, target):
    folder = make_dicom()
    for path in folder.iterdir():
        image = dcmread(path)
        image.compress("1.2.840.10008.1.2.4.80", generate_instance_uid=False)
        image.save_as(path)
    store(pacs, folder)
    retrieve(pacs, SERIES, target)
    assert {dcmread(path).file_meta.TransferSyntaxUID for path in target.iterdir()} == {
        "1.2.840.10008.1.2.4.80"
    }


def test_a_series_that_is_not_there_is_the_users_mistake(pacs, target):
    with pytest.raises(MissingError, match="does not hold the series"):
        retrieve(pacs, SERIES, target)


@pytest.mark.usefixtures("pushed")
def test_half_a_series_is_refused(proxy, through, pacs, target):
    def shorten(request):
        code, headers, body = request.forward()
        return request.answer(code, headers, json.dumps(json.loads(body)[:-1]).encode())

    proxy.fault = lambda request: request.path.split("?")[0].endswith("/instances") and shorten(request)
    with pytest.raises(PacsError, match="lists 2 of 3"):
        retrieve(through, SERIES, target)
    proxy.fault = lambda request: request.path.endswith(f"{ROOT}.5.2") and request.answer(404, {})
    with pytest.raises(PacsError, match="gave 1 of 3"):
        retrieve(through, SERIES, target)
    with pytest.raises(PacsError, match="lists 3 of 4"):
        retrieve(pacs, PacsSeries(SERIES.study_uid, SERIES.series_uid, count=4), target)


@pytest.mark.usefixtures("pushed")
def test_another_image_than_asked_for_is_refused(proxy, through, target, empty_orthanc, make_dicom):
    empty_orthanc.push(
        make_dicom(6, edit=lambda image: setattr(image, "SOPInstanceUID", f"{ROOT}.77.1"), count=1)
    )

    def exchange(request):
        request.path = request.path.replace(f"{ROOT}.5", f"{ROOT}.6").replace(f"{ROOT}.6.1", f"{ROOT}.77.1")
        return False

    proxy.fault = lambda request: of_image(request) and exchange(request)
    with pytest.raises(PacsError, match="something else than the image asked for"):
        retrieve(through, SERIES, target)
    assert not [request for request in proxy.requests if ROOT + ".5.2" in request.path]


@pytest.mark.parametrize(
    "body", [b"", b"PLANTED", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 1000]
)
@pytest.mark.usefixtures("pushed")
def test_what_is_no_dicom_is_refused(proxy, through, target, body):
    proxy.fault = lambda request: (
        of_image(request) and request.answer(200, {"Content-Type": "application/dicom"}, body)
    )
    with pytest.raises(PacsError, match="something else than the image asked for"):
        retrieve(through, SERIES, target)


@pytest.mark.usefixtures("pushed")
def test_another_kind_of_answer_is_refused(proxy, through, target):
    proxy.fault = lambda request: (
        of_image(request) and request.answer(200, {"Content-Type": "text/html"}, b"<html>PLANTED</html>")
    )
    with pytest.raises(PacsError, match="sends no DICOM file"):
        retrieve(through, SERIES, target)
    proxy.fault = lambda request: of_image(request) and request.answer(406, {})
    with pytest.raises(PacsError, match="406"):
        retrieve(through, SERIES, target)


@pytest.mark.usefixtures("pushed")
def test_an_endless_image_is_not_kept(proxy, through, target, monkeypatch):
    monkeypatch.setattr(retrieval, "MAX_INSTANCE_BYTES", 2**20)

    def endless(request):
        request.answer(200, {"Content-Type": "application/dicom", "Content-Length": str(2**40)})
        while True:
            request.wfile.write(bytes(2**16))

    proxy.fault = lambda request: of_image(request) and endless(request)
    with pytest.raises(PacsError, match="more than 1 MiB"):
        retrieve(through, SERIES, target)
    assert sum(path.stat().st_size for path in target.iterdir()) <= 2**20


@pytest.mark.usefixtures("pushed")
def test_an_image_that_breaks_off_is_fetched_again(proxy, through, target):
    broken = [True]

    def fault(request):
        if not of_image(request) or not broken:
            return False
        broken.pop()
        request.close_connection = True
        code, headers, body = request.forward()
        return request.answer(code, headers | {"Content-Length": str(len(body))}, body[:300])

    proxy.fault = fault
    retrieve(through, SERIES, target)
    assert len(list(target.iterdir())) == 3


@pytest.mark.usefixtures("pushed")
def test_where_a_person_waits_an_image_is_asked_for_once(proxy, target):
    proxy.fault = lambda request: of_image(request) and request.answer(503, {})
    with pytest.raises(UnavailableError, match="503"):
        retrieve(Pacs(parse_address(proxy.url), retry=False), SERIES, target)
    assert sum("/instances/" in seen.path for seen in proxy.requests) == 1


def test_a_large_image_does_not_fill_the_memory(proxy, target):
    size = 2**28

    def fault(request):
        if not of_image(request):
            return False
        request.answer(200, {"Content-Type": "application/dicom", "Content-Length": str(size)})
        for _ in range(size // 2**20):
            request.wfile.write(bytes(2**20))
        return True

    proxy.fault = fault
    code = f"""
import resource
from pathlib import Path
from monai_sr.integrations.pacs.address import parse_address
from monai_sr.integrations.pacs.retrieval import _fetch
from monai_sr.integrations.pacs.server import Pacs
pacs = Pacs(parse_address({proxy.url!r}))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
_fetch(pacs, pacs.address.url + "/studies/1/series/2/instances/{ROOT}", Path({str(target / "1")!r}))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (target / "1").stat().st_size == size
    assert int(ran.stdout) < 2**15, "over 32 MiB"
