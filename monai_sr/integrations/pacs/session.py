"""Requests to a DICOMweb server: who asks, whom to trust, how long to wait and how much to take."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Generator
from io import BytesIO
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_netrc_auth
from urllib3.exceptions import HTTPError

from monai_sr import __version__
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.pacs.address import Address

TIMEOUT = (10.0, 60.0)
"""Seconds that a server may take to accept a connection, and that it may stay silent."""

ANSWER_SECONDS = 600.0
"""Longest time that one answer may take, however steadily it drips."""

ANSWER_BYTES = 2**26
"""Largest answer that is no image, 64 MiB."""

WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds between one attempt and the next."""

LONGEST_WAIT = 30.0
"""Most seconds that a server may ask to be waited for."""

TOKEN, USER, PASSWORD = (f"MONAI_SR_DICOMWEB_{name}" for name in ("TOKEN", "USER", "PASSWORD"))

_BUSY = {408, 429, 500, 502, 503, 504}
_CHUNK = 2**16
_logger = logging.getLogger(__name__)
_T = TypeVar("_T")


class PacsError(MonaiSRError):
    """A server does what it should not."""


class UnavailableError(PacsError):
    """A server does not answer, or says that it cannot now.

    Args:
        message: the sentence.
        seconds: how long it asks to be waited for.
    """

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class AccessError(InputError):
    """A server does not accept the credentials."""


class MissingError(InputError):
    """A server does not hold what was asked for."""


def patiently(attempt: Callable[[], _T], pause: Callable[[float], None], retry: bool = True) -> _T:
    """Try again, after longer and longer waits, what a server cannot do now.

    Args:
        attempt: does it, as often as needed.
        pause: waits for seconds.
        retry: whether to try again at all.

    Returns:
        What the attempt returns.

    Raises:
        UnavailableError: if the last attempt failed, too.
    """
    for wait in WAITS if retry else ():
        try:
            return attempt()
        except UnavailableError as error:
            pause(max(wait, min(error.seconds, LONGEST_WAIT)))
    return attempt()


def open_session(
    address: Address, pause: Callable[[float], None], retry: bool = True, auth: AuthBase | None = None
) -> requests.Session:
    """A session that speaks to one server, with credentials that are given, or from the environment or netrc.

    Every answer is bounded, a redirect is not followed, and what fails for the moment is tried again.

    Args:
        address: of the server.
        pause: waits for seconds.
        retry: whether to try again.
        auth: credentials; those of the environment by default.

    Returns:
        The session; whatever it is asked to do raises errors of this module.

    Raises:
        InputError: if the credentials contradict each other.
    """
    session = requests.Session()
    session.auth = auth or _credentials()
    if not address.is_private and (session.auth or get_netrc_auth(address.url)):
        _logger.warning("%s: credentials go there unencrypted; use dicomwebs://", address)
    # Inflating an answer could take any memory.
    session.headers["Accept-Encoding"] = "identity"
    session.headers["Accept"] = "application/dicom+json"
    session.headers["User-Agent"] = f"monai-sr/{__version__}"
    for prefix in ("http://", "https://"):
        session.mount(prefix, _Adapter(address, pause, retry))
    return session


def has_credentials() -> bool:
    """Whether the environment holds credentials, which are for one server alone."""
    return _credentials() is not None


def read_body(response: requests.Response, address: Address, most: int) -> Generator[bytes, None, None]:
    """The body of an answer as it comes.

    Args:
        response: an answer that was asked for as a stream.
        address: of the server.
        most: bytes that it may have.

    Yields:
        Its bytes.

    Raises:
        PacsError: if it has more, or takes too long.
        UnavailableError: if it breaks off.
    """
    size, end = 0, time.monotonic() + ANSWER_SECONDS
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            size += len(chunk)
            if size > most:
                raise PacsError(f"{address} sends more than {most / 2**20:g} MiB at once, and is not read")
            if time.monotonic() > end:
                raise PacsError(f"{address} takes over {ANSWER_SECONDS:g} seconds to answer; look after it")
            yield chunk
    except (HTTPError, OSError):
        raise UnavailableError(f"{address} broke off while it answered; try again later") from None
    finally:
        response.close()


def _credentials() -> AuthBase | None:
    token, user, password = (os.environ.get(name, "").strip() for name in (TOKEN, USER, PASSWORD))
    if token and (user or password):
        raise InputError(f"Set either {TOKEN} or {USER} and {PASSWORD}, not both.")
    if bool(user) != bool(password):
        raise InputError(f"{USER} and {PASSWORD} go together: set both, or none.")
    if token:
        if not (token.isascii() and token.isprintable()):
            raise InputError(f"{TOKEN} holds characters that no token has: set it anew.")
        return _Bearer(token)
    return HTTPBasicAuth(user.encode(), password.encode()) if user else None


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Adapter(HTTPAdapter):
    """Turns what can go wrong into our errors, and reads no answer beyond its bound."""

    def __init__(self, address: Address, pause: Callable[[float], None], retry: bool) -> None:
        super().__init__()
        self._address = address
        self._pause = pause
        self._retry = retry

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, *, stream: bool = False, **options: Any
    ) -> requests.Response:
        # dicomweb-client names the host without its port, and an IPv6 address not at all.
        request.headers.pop("Host", None)
        if stream:
            return self._send(request, **options)

        def whole() -> requests.Response:
            response = self._send(request, **options)
            response.raw = BytesIO(b"".join(read_body(response, self._address, ANSWER_BYTES)))
            return response

        return patiently(whole, self._pause, self._retry)

    def _send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        try:
            response = super().send(request, stream=True, **options)
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE" in str(error) or "certificate" in str(error):
                raise InputError(
                    f"The certificate of {self._address} is not trusted: name the file of its authority in "
                    "REQUESTS_CA_BUNDLE."
                ) from None
            raise UnavailableError(f"{self._address} does not speak TLS as it should; check it") from None
        except requests.exceptions.Timeout:
            raise UnavailableError(f"{self._address} does not answer in time; check it") from None
        except requests.exceptions.ConnectionError:
            raise UnavailableError(f"{self._address} cannot be reached; check address and server") from None
        except (requests.exceptions.RequestException, OSError, ValueError):
            raise InputError(
                f"{self._address} cannot be asked; check its address and REQUESTS_CA_BUNDLE"
            ) from None
        try:
            self._check(response)
        except Exception:
            response.close()
            raise
        return response

    def _check(self, response: requests.Response) -> None:
        code = response.status_code
        if code in (401, 403):
            raise AccessError(
                f"{self._address} refuses access ({code}): set {TOKEN}, or {USER} and {PASSWORD}, to "
                "credentials that it accepts"
            )
        if code in (404, 410):
            raise MissingError(f"{self._address} does not hold what is asked for ({code}): check the address")
        if 300 <= code < 400:
            # Images and credentials go to the server that was named, and to no other.
            raise PacsError(f"{self._address} points to another address ({code}): give that one instead")
        if code in _BUSY:
            after = response.headers.get("Retry-After", "")
            seconds = float(after) if after.isdecimal() else 0.0
            raise UnavailableError(f"{self._address} cannot answer now ({code}); try again later", seconds)
