"""Who may ask: only pages of this server, under a name of its own; and what browsers may do with them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Set

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_HEADERS = {
    "Content-Security-Policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Cross-Origin-Opener-Policy": "unsafe-none",  # browsers show no sandboxed page with another
}
"""A report holds its own scripts; in a sandbox they reach nothing, neither this server nor another."""

_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SAFE = {"GET", "HEAD"}
"""Methods that change nothing."""


class Guard:
    """Refuses what did not come from a page of this server, and adds the headers that every answer has.

    Args:
        app: what answers.
        host: the name that the server was told to listen on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._names = own_names(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if message["status"] >= 400:
                    headers["Connection"] = "close"  # or what was refused would be read to its end
            await send(message)

        asked = Headers(scope=scope)
        host = asked.get("host", "")
        if not is_own(host, self._names):
            # Another name leads here: somebody's page has it resolved to this address.
            answer = PlainTextResponse("This server does not go by that name.", 421)
            await answer(scope, receive, guarded)
        elif scope["method"] not in SAFE and asked.get("origin", "").partition("://")[2] != host:
            answer = PlainTextResponse("Only the page of this server may ask for that.", 403)
            await answer(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)


def own_names(*hosts: str) -> set[str]:
    """Names by which a server may be asked.

    Args:
        hosts: names that it was given.

    Returns:
        These, localhost and the machine's own name, in lower case.
    """
    return {*map(str.lower, hosts), "localhost", socket.gethostname().lower()}


def is_own(host: str, names: Set[str]) -> bool:
    """Whether a Host header names this server, and is not a name that somebody has led here.

    Args:
        host: the header.
        names: from `own_names`; an address is always right, since no DNS can redirect it.

    Returns:
        True if it does.

    Example:
        >>> is_own("127.0.0.1:80", set()), is_own("[::1]", set()), is_own("evil.example", {"localhost"})
        (True, True, False)
    """
    name, bracket, _ = host.rpartition("]") if host.startswith("[") else host.partition(":")
    if bracket == "]":
        name = name[1:]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower() in names
    return True
