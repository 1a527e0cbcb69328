"""A PACS that refuses, breaks off or stays silent, behind a real MONAI Label server."""

import base64
import time

import pytest

from tests.integrations.monailabel.images import assert_finer
from tests.integrations.monailabel.serving import environment, running_server
from tests.integrations.orthanc import PASSWORD, USER, running_orthanc
from tests.integrations.pacs.proxy import faulty_proxy

pytestmark = pytest.mark.slow

MODEL = "swift_srgan_mri_x2"
# The app with less patience.
MAIN = """
from monai_sr.integrations.pacs import session
session.TIMEOUT = (2.0, 2.0)
from monai_sr.integrations.monailabel.app import SuperResolutionApp
"""


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, source):
    environment()
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), auth=True) as running:
        running.push(source)
        yield running


@pytest.fixture(scope="module")
def running_proxy(orthanc):
    with faulty_proxy(orthanc.http_port) as running:
        yield running


@pytest.fixture
def proxy(running_proxy):
    running_proxy.fault = lambda request: False
    running_proxy.requests.clear()
    return running_proxy


@pytest.fixture(scope="module")
def server(tmp_path_factory, running_proxy):
    folder = tmp_path_factory.mktemp("server")
    (folder / "app").mkdir()
    (folder / "app" / "main.py").write_text(MAIN)
    settings = {
        "DICOMWEB_USERNAME": USER,
        "DICOMWEB_PASSWORD": PASSWORD,
        "DICOMWEB_SEARCH_FILTER": '{"Modality": "MR"}',
    }
    studies = running_proxy.url.replace("dicomweb://", "http://")
    conf = {"models": "swift_srgan_mri"}
    with running_server(folder, folder / "app", studies, settings, **conf) as running:
        yield running


def requests(uid):
    return (
        ("POST", f"/infer/{MODEL}?image={uid}"),
        ("POST", f"/infer/{MODEL}_push?image={uid}"),
        ("GET", "/info/"),
    )


def test_the_settings_reach_the_pacs(server, proxy, uid):
    assert server.ask("GET", "/datastore/").json["total"] == 1
    assert {
        base64.b64decode(seen.headers["Authorization"].split()[1]).decode() for seen in proxy.requests
    } == {f"{USER}:{PASSWORD}"}
    assert all("Modality=MR" in seen.path for seen in proxy.requests)


def test_what_breaks_off_leaves_nothing_and_is_fetched_anew(server, proxy, source, uid, tmp_path):
    def fault(request):
        if (
            "/instances/" not in request.path
            or sum("/instances/" in seen.path for seen in proxy.requests) < 2
        ):
            return False
        request.close_connection = True
        code, headers, body = request.forward()
        return request.answer(code, headers | {"Content-Length": str(len(body))}, body[:300])

    proxy.fault = fault
    answer = server.ask("POST", f"/infer/{MODEL}?image={uid}")
    assert answer.status == 502
    assert answer.json["detail"] == "The PACS broke off while it answered; try again later."
    assert list(server.home.rglob("*.dcm")) == []
    proxy.fault = lambda request: False
    for _ in range(2):
        assert_finer(source, server.infer(MODEL, tmp_path / "r.nii.gz", f"image={uid}"), 2)
    # The second time the copy is up to date.
    assert sum("/instances/" in seen.path for seen in proxy.requests) == 4


def test_refused_access_is_not_the_clients_mistake(server, proxy, uid):
    proxy.fault = lambda request: request.answer(401, {})
    for method, path in requests(uid):
        answer = server.ask(method, path)
        assert answer.status == 502
        assert "The PACS refuses access: set MONAI_LABEL_DICOMWEB_USERNAME" in answer.json["detail"]


def test_a_silent_pacs_is_not_waited_for(server, proxy, uid):
    def silent(request):
        time.sleep(20)
        return True

    proxy.fault = silent
    for method, path in (*requests(uid), ("GET", f"/proxy/dicom/series?SeriesInstanceUID={uid}")):
        start = time.monotonic()
        answer = server.ask(method, path)
        assert (answer.status, time.monotonic() - start < 15) == (502, True)
        assert answer.json["detail"].startswith("The PACS does not answer")
    log = server.log.read_text()
    assert "Traceback" not in log
    assert uid not in log
