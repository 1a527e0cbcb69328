"""What the server answers, to its page and to whoever else asks."""

from __future__ import annotations

import io
import re
import secrets
import time
import zipfile
from contextlib import suppress

import httpx
import numpy as np
import pytest
from PIL import Image

from monai_sr.sample import sample_series_dir


def zipped(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def refused(answer: httpx.Response, status: int, *said: str) -> None:
    """In one sentence, without any path."""
    assert answer.status_code == status, answer.text
    message = answer.json()["message"]
    assert message.endswith(".")
    assert "/" not in message
    for text in said:
        assert text in message


def test_every_answer_protects_the_page(server):
    for answer in (
        server.client.get("/"),
        server.client.get("/static/page.js"),
        server.client.get("/nothing"),
        server.client.get("/jobs/unknown"),
        server.client.post("/jobs", headers={"Origin": "http://evil.example"}),
        server.client.get("/", headers={"Host": "evil.example"}),
    ):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control")]
    policy = server.client.get("/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1", ""])
def test_another_name_of_the_server_is_refused(server, host):
    answer = server.client.get("/", headers={"Host": host})
    assert answer.status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:8080", "[::1]:8000"])
def test_a_forwarded_port_is_not(server, host):
    assert server.client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", "http://localhost:1"])
def test_only_the_page_itself_may_change_anything(server, origin, png):
    token = server.send((".png", png))
    foreign = {"Origin": origin}
    for method, path in (
        ("POST", "/jobs"),
        ("PUT", f"/jobs/{token}/files/1"),
        ("POST", f"/jobs/{token}/look"),
        ("POST", f"/jobs/{token}/start"),
        ("DELETE", f"/jobs/{token}"),
    ):
        assert server.client.request(method, path, headers=foreign, json={"files": 1}).status_code == 403
        without = httpx.request(method, server.url + path, json={"files": 1})
        assert without.status_code == 403
    assert server.state(token)["state"] == "receiving"
    server.client.delete(f"/jobs/{token}")


def test_a_job_is_known_only_by_its_token(server, png):
    token = server.send((".png", png))
    assert re.fullmatch(r"[\w-]{22}", token)  # 128 bits
    for guess in (secrets.token_urlsafe(16), token[:-1], token.swapcase(), "%2e%2e", "%2e%2e%2fetc", "a/b"):
        for path in (f"/jobs/{guess}", f"/jobs/{guess}/result", f"/jobs/{guess}/reports/0"):
            assert server.client.get(path).status_code == 404
    refused(server.client.get(f"/jobs/{secrets.token_urlsafe(16)}"), 404, "restarted")
    assert server.client.delete(f"/jobs/{token}").status_code == 204
    assert server.client.get(f"/jobs/{token}").status_code == 404
    assert server.client.delete(f"/jobs/{token}").status_code == 404


def test_bytes_are_limited(server):
    token = server.client.post("/jobs", json={"files": 2}).json()["token"]
    assert server.put(token, 1, ".png", bytes(3 * 2**20)).status_code == 204
    refused(server.put(token, 2, ".png", bytes(2 * 2**20)), 413, "4 MiB")
    assert server.client.get(f"/jobs/{token}").status_code == 404
    assert server.kept() == []


def test_a_stream_without_end_is_cut(server):
    token = server.client.post("/jobs", json={"files": 1}).json()["token"]
    sent = 0

    def endless():
        nonlocal sent
        while sent < 2**28:
            sent += 2**16
            yield bytes(2**16)

    with suppress(httpx.TransportError):  # if the connection is closed before the answer is read
        refused(server.put(token, 1, "", endless()), 413)
    assert server.client.get(f"/jobs/{token}").status_code == 404
    assert sent < 2**26
    assert server.kept() == []


def test_files_are_limited(server, png):
    refused(server.client.post("/jobs", json={"files": 10_001}), 413, "10000")
    for none in (0, -1, None, "1", [1]):
        refused(server.client.post("/jobs", json={"files": none}), 422)
    token = server.send((".zip", zipped({f"{n}.dcm": b"" for n in range(10_001)})))
    refused(server.look(token), 413, "10000 files")
    assert server.kept() == []


def test_files_come_once_and_as_announced(server, png):
    token = server.client.post("/jobs", json={"files": 2}).json()["token"]
    assert server.put(token, 1, ".png", png).status_code == 204
    refused(server.look(token), 409, "did not arrive")
    refused(server.put(token, 1, ".png", png), 409)
    refused(server.put(token, 3, ".png", png), 409)
    for folder in ("-1", "../..", "99999999", "x"):
        refused(server.put(token, 2, ".png", png, folder), 409)
    refused(server.start(token), 409)
    refused(server.client.get(f"/jobs/{token}/result"), 409)
    server.client.delete(f"/jobs/{token}")


@pytest.mark.parametrize(
    ("suffix", "content", "said"),
    [
        (".png", b"no image", "File 1 is not a readable PNG"),
        (".dcm", b"no image", "File 1"),
        ("/../../x", b"no image", "File 1"),
        (".nii.gz", b"no image", "File 1"),
        (".zip", b"no zip", "zip is damaged"),
        (".zip", zipped({}), "zip is empty"),
        (".zip", zipped({"inner.zip": zipped({"a.png": b""})}), "another zip"),
        (".zip", zipped({"a.txt": b"a", "b.txt": b"b"}), "no DICOM image"),
        (".zip", zipped({"a.png": b"a", "b.png": b"b"}), "one image at a time"),
    ],
)
def test_what_is_no_image_is_refused_in_the_library_s_words(server, suffix, content, said):
    token = server.send((suffix, content))
    refused(server.look(token), 422, said)
    assert server.client.get(f"/jobs/{token}").status_code == 404
    assert server.kept() == []


def test_colours_are_refused(server):
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "PNG")
    refused(server.look(server.send((".png", file.getvalue()))), 422, "has colours")


def test_a_damaged_slice_is_named_by_its_number(server):
    files = [path.read_bytes() for path in sorted(sample_series_dir().iterdir())[:3]]
    files[1] = files[1][:300]
    refused(server.look(server.send(*((".dcm", content) for content in files))), 422, "File 2 ")


def test_a_zip_bomb_is_cut(server):
    bomb = zipped({"bomb.nii": bytes(64 * 2**20)})
    assert len(bomb) < 2**18
    refused(server.look(server.send((".zip", bomb))), 413, "larger than this server takes")
    assert server.kept() == []


def test_a_zip_s_names_lead_nowhere(server, png):
    entries = {
        "../../outside.png": png,
        "/tmp/absolute.png": png,
        "__MACOSX/._a.png": b"",
        "a/.DS_Store": b"",
    }
    before = set(server.temporary.rglob("*outside*"))
    token = server.send((".zip", zipped(entries)))
    # Both images are there, under names of the server's own.
    refused(server.look(token), 422, "2 images")
    token = server.send((".zip", zipped({"../../../outside.png": png})))
    assert server.look(token).json()["found"][0]["frames"] == 1
    assert [path.name for path in server.kept()] == ["00001.png"]
    assert set(server.temporary.rglob("*outside*")) == before == set()
    server.client.delete(f"/jobs/{token}")


def test_only_what_is_offered_can_be_chosen(server, png):
    token = server.send((".png", png))
    assert server.look(token).status_code == 200
    for choice in (
        {"bundle": "/etc"},
        {"bundle": "../edsr_mri"},
        {"bundle": None},
        {"bundle": ["edsr_mri"]},
        {"scale_factor": 3},
        {"scale_factor": "2"},
        {"scale_factor": [2]},
        {"alpha": 2},
        {"alpha": "1"},
        {"alpha": {}},
        {"bundle": "edsr_mri", "alpha": 0.5},
    ):
        refused(server.start(token, **choice), 422)
    for body in (b"", b"no json", b"[]", b"[" * 10_000, b"\xff"):
        refused(server.client.post(f"/jobs/{token}/start", content=body), 422)
    refused(server.client.post(f"/jobs/{token}/start", content=b" " * 2**17), 413)
    assert server.state(token)["state"] == "ready"
    server.client.delete(f"/jobs/{token}")


def test_a_job_can_be_cancelled_while_others_wait(server, large_tiff, png):
    running, waiting = server.send((".tif", large_tiff)), server.send((".png", png))
    for token in (running, waiting):
        assert server.look(token).status_code == 200
    assert server.start(running).status_code == 202
    refused(server.start(running), 409)
    assert server.start(waiting).json()["before"] == 1
    server.wait(running, "working")
    before = time.monotonic()
    assert server.client.delete(f"/jobs/{running}").status_code == 204
    assert time.monotonic() - before < 5
    assert server.client.get(f"/jobs/{running}").status_code == 404
    job = server.wait(waiting, "done")
    assert job["choice"] == {"bundle": "swift_srgan_mri", "scale_factor": 2, "alpha": None}
    # The upload is gone as soon as it is done.
    assert sorted(path.name for path in server.kept()) == ["00001.png", "report_0.html"]
    made = server.client.get(f"/jobs/{waiting}/result")
    assert made.headers["content-disposition"] == 'attachment; filename="super-resolved.png"'
    assert Image.open(io.BytesIO(made.content)).size == (112, 128)
    report = server.client.get(f"/jobs/{waiting}/reports/0")
    assert report.headers["content-security-policy"].startswith("sandbox allow-scripts;")
    assert server.client.get(f"/jobs/{waiting}/reports/1").status_code == 404
    server.client.delete(f"/jobs/{waiting}")
    assert server.kept() == []


def test_nothing_is_logged_of_all_this(server):
    log = server.log.read_text()
    assert "Traceback" not in log
    assert len(log.splitlines()) == 2, log
