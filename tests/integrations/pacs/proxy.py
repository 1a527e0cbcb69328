"""A proxy before a real PACS that does what servers should not."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from tests.conftest import find_tool

Fault = Callable[["Request"], bool]


class Seen(NamedTuple):
    """What was asked for."""

    command: str
    path: str
    headers: dict[str, str]


class Request(BaseHTTPRequestHandler):
    """A request on its way; a fault may answer it itself, or let it pass."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def handle_request(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append(Seen(self.command, self.path, dict(self.headers.items())))
        if not self.server.fault(self):
            self.answer(*self.forward())

    do_GET = do_POST = handle_request  # noqa: N815

    def forward(self, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        """What the PACS answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port_behind, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
        connection.request(self.command, self.path, self.body if body is None else body, headers)
        answer = connection.getresponse()
        kept = {name: value for name, value in answer.getheaders() if name.lower() == "content-type"}
        result = answer.status, kept, answer.read()
        connection.close()
        return result

    def answer(self, code: int, headers: dict[str, str], body: bytes = b"") -> bool:
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        return True

    def log_message(self, *_: object) -> None:
        """Nothing: tests look at what is said."""


class Proxy(ThreadingHTTPServer):
    """A proxy on a free port; `fault` may be exchanged at any time."""

    daemon_threads = True

    def __init__(self, port_behind: int, certificate: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.port_behind = port_behind
        self.requests: list[Seen] = []
        self.fault: Fault = lambda request: False
        self.url = f"dicomweb{'s' if certificate else ''}://127.0.0.1:{self.server_port}/dicom-web"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_: object) -> None:
        """Nothing: clients hang up here."""


@contextmanager
def faulty_proxy(port_behind: int, certificate: Path | None = None) -> Iterator[Proxy]:
    """A running proxy, by TLS if there is a certificate."""
    with Proxy(port_behind, certificate) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join(10)


def self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 that signs itself, and its key beside it."""
    certificate = folder / "server.pem"
    key = certificate.with_suffix(".key")
    command = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout {key} -out {certificate}"
    extension = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([find_tool("openssl"), *command.split(), *extension], check=True, capture_output=True)
    return certificate
