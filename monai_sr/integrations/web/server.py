"""The server: it listens before it says where, and cleans up however it is stopped."""

from __future__ import annotations

import ipaddress
import socket
import sys
import tempfile
from collections.abc import Callable

import uvicorn

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.web.application import make_application
from monai_sr.integrations.web.settings import Settings

_BACKLOG = 128
_PATIENCE = 2
"""Seconds for which answers under way may go on when the server is stopped."""


def serve(settings: Settings, host: str, port: int, tell: Callable[[str, bool], None]) -> None:
    """Serve the page until the process is interrupted or terminated.

    Args:
        settings: what is offered.
        host: name or address to listen on.
        port: port to listen on, 0 for any free one.
        tell: called once with the page's address and whether only this machine reaches it.

    Raises:
        InputError: if nobody can listen there.
        MonaiSRError: if there is no folder for temporary files.
    """
    try:
        tempfile.gettempdir()
    except OSError:
        raise MonaiSRError("No folder for temporary files can be written: name one by TMPDIR.") from None
    listening = _listen(host, port)
    address = ipaddress.ip_address(listening.getsockname()[0])
    shown = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(
        make_application(settings, host),
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    with listening:
        tell(f"http://{shown}:{listening.getsockname()[1]}", address.is_loopback)
        uvicorn.Server(config).run([listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise InputError(
            f"The host {host} is not known here: use 127.0.0.1, or the name of this machine."
        ) from None
    family, kind, protocol, _, place = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        # On Windows this would let another program listen there too.
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise InputError(
            f"Port {port} of {host} cannot be used ({error.strerror}): choose another by --port, "
            "or --port 0 for any free one."
        ) from None
    return listening
