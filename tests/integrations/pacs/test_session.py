"""Credentials, trust, patience and bounds, over real connections."""

from __future__ import annotations

import base64
import logging
import socket
import time

import pytest
from requests.auth import HTTPBasicAuth

from monai_sr.errors import InputError
from monai_sr.integrations.pacs import session
from monai_sr.integrations.pacs.address import parse_address
from monai_sr.integrations.pacs.server import Pacs
from monai_sr.integrations.pacs.session import (
    PASSWORD,
    TOKEN,
    USER,
    AccessError,
    MissingError,
    PacsError,
    UnavailableError,
)
from tests.integrations.orthanc import PASSWORD as ORTHANC_PASSWORD
from tests.integrations.orthanc import USER as ORTHANC_USER
from tests.integrations.orthanc import running_orthanc
from tests.integrations.pacs.proxy import faulty_proxy, self_signed
from tests.integrations.ports import free_port


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("guarded"), auth=True) as running:
        yield running


def listed(url):
    return list(Pacs(parse_address(url)).search())


def test_credentials_are_asked_for(guarded, monkeypatch, tmp_path):
    with pytest.raises(AccessError, match="refuses access"):
        listed(guarded.url)
    monkeypatch.setenv(USER, ORTHANC_USER)
    monkeypatch.setenv(PASSWORD, "wrong one")
    with pytest.raises(AccessError, match="401") as caught:
        listed(guarded.url)
    assert "wrong one" not in str(caught.value)
    assert caught.value.exit_code == 2
    monkeypatch.setenv(PASSWORD, ORTHANC_PASSWORD)
    assert listed(guarded.url) == []
    monkeypatch.delenv(USER)
    monkeypatch.delenv(PASSWORD)
    (tmp_path / "netrc").write_text(f'machine 127.0.0.1 login {ORTHANC_USER} password "{ORTHANC_PASSWORD}"')
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert listed(guarded.url) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({TOKEN: "t", USER: "u", PASSWORD: "p"}, "not both"),
        ({USER: "u"}, "go together"),
        ({TOKEN: "a\nb"}, "characters"),
    ],
)
def test_credentials_that_contradict_each_other_are_refused(monkeypatch, values, said):
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=said):
        Pacs(parse_address("dicomweb://localhost/rs"))


def test_a_token_is_sent_and_netrc_does_not_replace_it(proxy, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv(TOKEN, " abc.def ")
    listed(proxy.url)
    assert {request.headers["Authorization"] for request in proxy.requests} == {"Bearer abc.def"}
    assert {request.headers["Host"] for request in proxy.requests} == {f"127.0.0.1:{proxy.server_port}"}


def test_a_name_in_any_script_is_sent(proxy, monkeypatch):
    monkeypatch.setenv(USER, "Žofie")
    monkeypatch.setenv(PASSWORD, "p")
    listed(proxy.url)
    sent = proxy.requests[0].headers["Authorization"].split()[1]
    assert base64.b64decode(sent).decode() == "Žofie:p"


def test_credentials_that_are_given_come_first(guarded, monkeypatch):
    monkeypatch.setenv(USER, ORTHANC_USER)
    monkeypatch.setenv(PASSWORD, "wrong one")
    auth = HTTPBasicAuth(ORTHANC_USER, ORTHANC_PASSWORD)
    assert list(Pacs(parse_address(guarded.url), auth=auth).search()) == []


def test_nothing_follows_a_redirect(proxy, orthanc, monkeypatch):
    monkeypatch.setenv(TOKEN, "abc")
    with faulty_proxy(orthanc.http_port) as other:
        location = f"http://127.0.0.1:{other.server_port}/dicom-web/series"
        for code in (301, 307):
            proxy.fault = lambda request, code=code: request.answer(code, {"Location": location})
            with pytest.raises(PacsError, match="points to another address"):
                listed(proxy.url)
        assert other.requests == []


def test_credentials_without_tls_are_warned_of(caplog, monkeypatch):
    with caplog.at_level(logging.WARNING):
        Pacs(parse_address("dicomweb://pacs.example/rs"))
        monkeypatch.setenv(TOKEN, "abc")
        Pacs(parse_address("dicomwebs://pacs.example/rs"))
        Pacs(parse_address("dicomweb://127.0.0.1/rs"))
        assert caplog.messages == []
        Pacs(parse_address("dicomweb://pacs.example/rs"))
    assert [("unencrypted" in text, "abc" in text) for text in caplog.messages] == [(True, False)]


def test_a_certificate_must_be_trusted(orthanc, tmp_path, monkeypatch):
    certificate = self_signed(tmp_path)
    with faulty_proxy(orthanc.http_port, certificate) as proxy:
        with pytest.raises(InputError, match="REQUESTS_CA_BUNDLE"):
            listed(proxy.url)
        assert proxy.requests == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert listed(proxy.url) == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
        with pytest.raises(InputError, match="REQUESTS_CA_BUNDLE"):
            listed(proxy.url)
        with pytest.raises(UnavailableError):
            listed(proxy.url.replace("dicomwebs", "dicomweb"))


def test_what_fails_for_the_moment_is_tried_again(proxy):
    codes = [503, 429]
    waited = []

    def fault(request):
        return bool(codes) and request.answer(codes.pop(), {"Retry-After": "3000"})

    proxy.fault = fault
    assert list(Pacs(parse_address(proxy.url), waited.append).search()) == []
    assert waited == [session.LONGEST_WAIT] * 2
    assert len(proxy.requests) == 3


def test_patience_ends(proxy):
    proxy.fault = lambda request: request.answer(500, {})
    with pytest.raises(UnavailableError, match="500"):
        listed(proxy.url)
    assert len(proxy.requests) == len(session.WAITS) + 1


def test_where_a_person_waits_nothing_is_tried_again(proxy):
    proxy.fault = lambda request: request.answer(503, {})
    with pytest.raises(UnavailableError, match="503"):
        list(Pacs(parse_address(proxy.url), retry=False).search())
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(("code", "kind"), [(400, PacsError), (403, AccessError), (404, MissingError)])
def test_what_stays_wrong_is_not_tried_again(proxy, code, kind):
    proxy.fault = lambda request: request.answer(code, {})
    with pytest.raises(kind):
        listed(proxy.url)
    assert len(proxy.requests) == 1


def test_a_server_that_is_down_or_silent_is_no_riddle(monkeypatch):
    with pytest.raises(UnavailableError, match="cannot be reached"):
        listed(f"dicomweb://127.0.0.1:{free_port()}/dicom-web")
    monkeypatch.setattr("monai_sr.integrations.pacs.server.TIMEOUT", (0.3, 0.3))
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnavailableError, match="in time"):
        listed(f"dicomweb://127.0.0.1:{silent.getsockname()[1]}/dicom-web")


def test_an_endless_answer_is_not_read(proxy, monkeypatch):
    monkeypatch.setattr(session, "ANSWER_BYTES", 2**20)

    def fault(request):
        request.answer(200, {"Content-Type": "application/dicom+json", "Content-Length": str(2**40)}, b"[")
        while True:
            request.wfile.write(b" " * 2**16)

    proxy.fault = fault
    with pytest.raises(PacsError, match="more than 1 MiB"):
        listed(proxy.url)
    assert len(proxy.requests) == 1


def test_an_answer_that_drips_is_not_waited_for(proxy, monkeypatch):
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.5)

    def fault(request):
        request.answer(200, {"Content-Type": "application/dicom+json", "Content-Length": str(2**20)}, b"[")
        while True:
            request.wfile.write(b" ")
            time.sleep(0.05)

    proxy.fault = fault
    start = time.monotonic()
    with pytest.raises(PacsError, match="takes over"):
        listed(proxy.url)
    assert time.monotonic() - start < 10


def test_an_answer_that_breaks_off_is_asked_for_again(proxy):
    broken = [True, True]

    def fault(request):
        if not broken:
            return False
        broken.pop()
        request.close_connection = True
        return request.answer(200, {"Content-Length": "100"}, b"[")

    proxy.fault = fault
    assert listed(proxy.url) == []
    assert len(proxy.requests) == 3
