"""Requests to a real MONAI Label server that nobody should make."""

import urllib.request
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.integrations.monailabel.images import SECRET

pytestmark = pytest.mark.slow

MODEL = "swift_srgan_mri_x2"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


OUTSIDE = "../outside"
ATTACKS = {
    "an absolute path": ("POST", f"/infer/{MODEL}?image=/etc/passwd", {}),
    "a path upwards": ("POST", f"/infer/{MODEL}?image={OUTSIDE}", {}),
    "a path in the parameters": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"image": "/etc/passwd"}},
    ),
    "another image in the parameters": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"image": "gray"}},
    ),
    "another model": ("POST", f"/infer/{MODEL}?image=volume", {"params": {"model": "edsr_mri_x4"}}),
    "a session in the parameters": ("POST", f"/infer/{MODEL}?image=volume", {"params": {"session": {}}}),
    "no JSON": ("POST", f"/infer/{MODEL}?image=volume", {"params": "{"}),
    "JSON but no object": ("POST", f"/infer/{MODEL}?image=volume", {"params": "[1]"}),
    "no image": ("POST", f"/infer/{MODEL}", {}),
    "no such model": ("POST", "/infer/nothing?image=volume", {}),
    "a result elsewhere": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"result_extension": "/../../evil.nii.gz"}},
    ),
    "a picture of a volume": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"result_extension": ".png"}},
    ),
    "a tag elsewhere": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"save_label": True, "label_tag": "../../evil"}},
    ),
    "the tag of what people draw": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"save_label": True, "label_tag": "final"}},
    ),
    "a session upwards": ("POST", f"/infer/{MODEL}?session_id={OUTSIDE}", {}),
    "a session's folder": ("DELETE", "/session/%2e%2e", {}),
    "a batch's tag elsewhere": (
        "POST",
        f"/batch/infer/{MODEL}?images=all&run_sync=true",
        {"body": {"label_tag": "../evil"}},
    ),
    "a batch's tag of people": (
        "POST",
        f"/batch/infer/{MODEL}?images=all&run_sync=true",
        {"body": {"label_tag": "final"}},
    ),
    "a batch of no model": ("POST", "/batch/infer/nothing?images=all&run_sync=true", {"body": {}}),
    "reading an image": ("GET", f"/datastore/image?image={OUTSIDE}", {}),
    "reading an absolute image": ("GET", "/datastore/image?image=/etc/passwd", {}),
    "reading a label": ("GET", f"/datastore/label?label=volume&tag={OUTSIDE}", {}),
    "reading what is known": ("GET", f"/datastore/image/info?image={OUTSIDE}", {}),
    "writing an image": ("PUT", "/datastore/image?image=../evil", {"file": "gray.png"}),
    "writing a hidden image": ("PUT", "/datastore/image?image=.evil", {"file": "gray.png"}),
    "writing a program": ("PUT", "/datastore/image?image=evil", {"file": "evil.py"}),
    "writing a label": (
        "PUT",
        "/datastore/label?image=volume&tag=../../evil",
        {"file": "volume.nii.gz", "field": "label"},
    ),
    "writing a label of no image": (
        "PUT",
        f"/datastore/label?image={OUTSIDE}&tag=sr",
        {"file": "volume.nii.gz", "field": "label"},
    ),
    "deleting an image": ("DELETE", "/datastore/image?id=volume", {}),
    "deleting a label": ("DELETE", "/datastore/label?id=volume&tag=../..", {}),
    "replacing weights": ("PUT", f"/model/{MODEL}", {"file": "gray.png"}),
    "taking weights away": ("DELETE", f"/model/{MODEL}", {}),
    "reading the log": ("GET", "/logs/?lines=0", {}),
    "starting anew": ("POST", "/reload", {}),
    "an archive": (
        "PUT",
        "/session/?uncompress=true",
        {"file": "gray.png", "field": "files"},
    ),
    "a batch that names an image": (
        "POST",
        f"/batch/infer/{MODEL}?images=all&run_sync=true",
        {"body": {"image": "/etc/passwd"}},
    ),
    "scores": ("POST", "/scoring/nothing", {"body": {}}),
    "what is no image": ("PUT", "/datastore/image?image=evil", {"file": "evil.nii.gz"}),
    "another server's page": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"headers": {"Origin": "http://evil.example"}},
    ),
    "a name that was led here": ("GET", "/datastore/", {"headers": {"Host": "evil.example"}}),
    "a slide": ("POST", f"/infer/wsi/{MODEL}?image=volume", {"body": {}}),
    "the proxy without a PACS": ("GET", "/proxy/dicom/qido/studies", {}),
}


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_an_attack_reads_and_writes_nothing(server, store, tmp_path, attack):
    method, path, options = ATTACKS[attack]
    if name := options.get("file"):
        file = tmp_path / name
        file.write_bytes((store / name).read_bytes() if (store / name).exists() else b"evil")
        options = options | {"file": file}
    server.ask("GET", "/info/")
    before = snapshot(store.parent)
    answer = server.ask(method, path, **options)
    assert 400 <= answer.status < 500, answer.body
    assert answer.json["detail"].endswith(".")
    assert SECRET.encode() not in answer.body
    assert str(store).encode() not in answer.body
    assert snapshot(store.parent) == before


def test_a_batch_of_paths_reads_none(server, store):
    body = {"images": ["/etc/passwd", OUTSIDE, str(store.parent / "outside.nii.gz")], "label_tag": "evil"}
    answer = server.ask("POST", f"/batch/infer/{MODEL}?run_sync=true", body=body)
    assert [set(result) for result in answer.json.values()] == [{"error"}] * 3
    assert not (store / "labels" / "evil").exists()


def test_more_than_the_limit_is_not_even_read(server):
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    connection.putrequest("POST", f"/infer/{MODEL}")
    connection.putheader("Content-Length", str(2**40))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"send less" in answer.read()


def test_more_than_the_limit_without_a_word_of_it_is_refused(server):
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Transfer-Encoding": "chunked"}
    with suppress(ConnectionError):
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.nii.gz"\r\n\r\n'
        connection.request("POST", f"/infer/{MODEL}", iter([head, *[bytes(2**16)] * 64]), headers)
    assert 400 <= connection.getresponse().status < 500


def test_another_page_may_not_ask(server):
    request = urllib.request.Request(f"{server.url}/info/", headers={"Origin": "http://elsewhere.example"})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert "access-control-allow-origin" not in response.headers
