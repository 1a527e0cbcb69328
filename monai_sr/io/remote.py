"""Images named by a web address: fetched with bounds, and from the public internet only unless allowed."""

from __future__ import annotations

import http.client
import ipaddress
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io.atomic import atomic_file
from monai_sr.io.temporary import temporary_folder

MAX_BYTES = 2**30
"""Largest download, 1 GiB."""

TIMEOUT = 30.0
"""Seconds that a server may stay silent."""

_CHUNK = 2**20


def is_url(source: str) -> bool:
    """Whether a source is a web address rather than a path.

    Args:
        source: what the user named.

    Returns:
        True for http and https.

    Example:
        >>> is_url("https://example.org/scan.nii.gz"), is_url("scans/https")
        (True, False)
    """
    return source.lower().startswith(("http://", "https://"))


@contextmanager
def local_copy(source: str | Path, allow_private: bool = False) -> Iterator[Path]:
    """A source as a file: itself if it is a path, a copy for the while if it is a web address.

    Args:
        source: path or http(s) address.
        allow_private: see `download`.

    Yields:
        The path.

    Raises:
        InputError: if the address cannot be fetched.
    """
    if not is_url(str(source)):
        if re.match(r"\w+://", str(source)):
            raise InputError(f"{_shown(str(source))} is no address that can be fetched: use http or https.")
        yield Path(source)
        return
    with temporary_folder() as folder:
        path = download(str(source), folder, allow_private=allow_private)
        try:
            yield path
        except MonaiSRError as error:
            # The copy's own path would tell the user nothing.
            raise type(error)(str(error).replace(str(path), _shown(str(source)))) from None


def download(url: str, folder: Path, max_bytes: int = MAX_BYTES, allow_private: bool = False) -> Path:
    """Fetch an image to a file of the name that ends its address.

    Every server, also one that a redirect leads to, is looked at once its connection stands and before
    anything is asked of it, so that a name that resolves to an inner address does not pass.

    Args:
        url: http or https address of a file.
        folder: where to put it.
        max_bytes: largest size.
        allow_private: whether loopback, private and other addresses off the public internet may be asked.

    Returns:
        The file.

    Raises:
        InputError: if the address cannot be fetched, leads to a private one or is larger than allowed.
    """
    parts, shown = urlsplit(url), _shown(url)
    name = Path(unquote(parts.path)).name
    if not name or not parts.hostname:
        raise InputError(f"{shown} names no file: give the address of one image.")
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Handler(allow_private),
        _SecureHandler(allow_private),
    ):
        opener.add_handler(handler)
    try:
        with (
            opener.open(url, timeout=TIMEOUT) as response,
            atomic_file(folder / name) as file,
            file.open("wb") as target,
        ):
            _copy(response, target, max_bytes, shown)
    except _PrivateAddressError:
        raise InputError(
            f"{shown} is, or redirects to, an address off the public internet: download it yourself, or "
            "allow it by --allow-private."
        ) from None
    except urllib.error.HTTPError as error:
        raise InputError(f"{shown} cannot be fetched: the server answers {error.code}.") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise InputError(f"{shown} cannot be fetched ({reason}): check the address.") from None
    return folder / name


def _shown(url: str) -> str:
    """An address without its query and user name: they may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _copy(response: IO[bytes], target: IO[bytes], max_bytes: int, shown: str) -> None:
    size = 0
    while chunk := response.read(_CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise InputError(f"{shown} is larger than {max_bytes / 2**20:g} MiB: download it yourself.")
        target.write(chunk)


class _PrivateAddressError(Exception):
    """A server is off the public internet."""


def _require_public(connection: http.client.HTTPConnection) -> None:
    address = ipaddress.ip_address(connection.sock.getpeername()[0].partition("%")[0])
    if not address.is_global:
        connection.close()
        raise _PrivateAddressError


class _PublicConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _require_public(self)


class _PublicSecureConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _require_public(self)


class _Handler(urllib.request.HTTPHandler):
    def __init__(self, allow_private: bool) -> None:
        super().__init__()
        self.connection = http.client.HTTPConnection if allow_private else _PublicConnection

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self.connection, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def __init__(self, allow_private: bool) -> None:
        super().__init__()
        self.connection = http.client.HTTPSConnection if allow_private else _PublicSecureConnection

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self.connection, req)
