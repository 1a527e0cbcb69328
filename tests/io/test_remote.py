from __future__ import annotations

import http.server
import threading

import numpy as np
import pytest
from PIL import Image

from monai_sr.cli import app
from monai_sr.errors import InputError
from monai_sr.io import read_volume
from monai_sr.io.remote import download, is_url, local_copy


class Handler(http.server.BaseHTTPRequestHandler):
    """`/picture.png`, `/large.png`, `/moved/...` to elsewhere, `/loop`, and 404 for the rest."""

    def do_GET(self):
        self.server.asked.append(self.path)
        path = self.path.partition("?")[0]
        if path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere or "/picture.png")
            self.end_headers()
            return
        body = self.server.files.get(path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path):
    pixels = np.arange(35, dtype=np.uint8).reshape(5, 7)
    Image.fromarray(pixels).save(tmp_path / "source.png")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.elsewhere = [], None
        server.files = {
            "/picture.png": (tmp_path / "source.png").read_bytes(),
            "/large.png": bytes(5000),
            "/page.png": b"<html>",
        }
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_an_image_is_fetched_also_by_a_redirect(server, tmp_path):
    for path, name in (("/picture.png?token=secret", "picture.png"), ("/moved/b%20c.png", "b c.png")):
        file = download(server.url + path, tmp_path / "into", allow_private=True)
        assert file == tmp_path / "into" / name
        assert read_volume(file).array.shape == (1, 5, 7)


def test_a_private_address_is_not_asked_for_anything(server, tmp_path):
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(InputError, match=r"off the public internet.*--allow-private"):
            download(f"{url}/picture.png", tmp_path / "into")
    assert server.asked == []
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize(
    ("elsewhere", "said"),
    [("file:///etc/passwd", "cannot be fetched"), ("ftp://127.0.0.1/a.png", "cannot be fetched")],
)
def test_a_redirect_stays_on_the_web(server, tmp_path, elsewhere, said):
    server.elsewhere = elsewhere
    with pytest.raises(InputError, match=said):
        download(f"{server.url}/moved/a.png", tmp_path, allow_private=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.png"]


def test_what_is_too_large_leaves_nothing(server, tmp_path):
    with pytest.raises(InputError, match=r"large\.png is larger than 0\.0\d+ MiB"):
        download(f"{server.url}/large.png", tmp_path / "into", max_bytes=4000, allow_private=True)
    assert list((tmp_path / "into").iterdir()) == []


def test_what_is_no_image_is_named(server, tmp_path):
    file = download(f"{server.url}/page.png", tmp_path, allow_private=True)
    with pytest.raises(InputError, match=r"page\.png is not a readable PNG"):
        read_volume(file)


def test_secrets_in_an_address_are_not_repeated(server, tmp_path):
    url = server.url.replace("127", "user:word@127") + "/none.png?token=secret"
    with pytest.raises(InputError, match=r"none\.png cannot be fetched") as raised:
        download(url, tmp_path, allow_private=True)
    assert "word" not in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.png", "http://no.invalid/a.png", "http:///a.png"])
def test_an_unreachable_address_is_one_sentence(tmp_path, url):
    with pytest.raises(InputError, match=r"a\.png (cannot be fetched|names no file)"):
        download(url, tmp_path, allow_private=True)


def test_an_address_without_a_file_is_refused(server, tmp_path):
    with pytest.raises(InputError, match="names no file"):
        download(f"{server.url}/", tmp_path, allow_private=True)


def test_paths_are_not_addresses():
    assert is_url("HTTP://a/b.png")
    assert not is_url("/data/http.png")


def test_a_local_copy_is_gone_afterwards(server, tmp_path):
    with local_copy(f"{server.url}/picture.png", allow_private=True) as path:
        assert read_volume(path).array.shape == (1, 5, 7)
    assert not path.exists()
    with local_copy(tmp_path / "source.png") as path:
        assert path == tmp_path / "source.png"
    assert path.exists()


def test_the_command_takes_an_address(server, tmp_path):
    output = tmp_path / "finer.png"
    arguments = ["upscale", f"{server.url}/picture.png", str(output), "--device", "cpu"]
    with pytest.raises(InputError, match="off the public internet"):
        app(arguments, standalone_mode=False)
    app([*arguments, "--allow-private"], standalone_mode=False)
    assert read_volume(output).array.shape == (1, 10, 14)


def test_what_is_no_image_is_named_by_its_address(server):
    with (
        pytest.raises(InputError, match=rf"^{server.url}/page\.png is not a readable PNG") as raised,
        local_copy(f"{server.url}/page.png?token=secret", allow_private=True) as path,
    ):
        read_volume(path)
    assert "secret" not in str(raised.value)


def test_only_the_web_is_fetched_from():
    with (
        pytest.raises(InputError, match=r"ftp://example\.org/a\.png is no address .* use http or https"),
        local_copy("ftp://name:word@example.org/a.png"),
    ):
        pass
