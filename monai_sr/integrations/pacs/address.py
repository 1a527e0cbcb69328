"""Names of DICOMweb servers and of what they hold: dicomweb://HOST:PORT/PATH/studies/UID/series/UID."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from monai_sr.errors import InputError

_SCHEMES = {"dicomweb": "http", "dicomwebs": "https"}
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_RESOURCE = re.compile(r"(?P<root>.*?)(/studies/(?P<study>[^/]+)(/series/(?P<series>[^/]+))?)?")


@dataclass(frozen=True)
class Address:
    """A DICOMweb server, and a study or a series of it where these are named.

    Args:
        url: http or https address of the server, without a slash at its end.
        study_uid: StudyInstanceUID, or None.
        series_uid: SeriesInstanceUID, or None.
    """

    url: str
    study_uid: str | None = None
    series_uid: str | None = None

    def __str__(self) -> str:
        """The server alone, as a user names it: a UID may tell of a patient."""
        return self.url.replace("http", "dicomweb", 1)

    @property
    def host(self) -> str:
        """Name of the machine, in lower case."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_private(self) -> bool:
        """Whether what is sent there stays unread: by TLS, or since it does not leave this machine."""
        if self.url.startswith("https:") or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def is_pacs_address(text: str) -> bool:
    """Whether a source or a destination is a DICOMweb server rather than a path.

    Args:
        text: what the user named.

    Returns:
        True for dicomweb:// and dicomwebs://.

    Example:
        >>> is_pacs_address("dicomweb://localhost:8042/dicom-web"), is_pacs_address("scans")
        (True, False)
    """
    return text.lower().startswith(tuple(f"{scheme}://" for scheme in _SCHEMES))


def is_uid(text: object) -> bool:
    """Whether a value is a DICOM UID, of digits and points alone.

    Args:
        text: any value.

    Returns:
        True if it is.

    Example:
        >>> is_uid("1.2.840"), is_uid("../../1.2")
        (True, False)
    """
    return isinstance(text, str) and len(text) <= 64 and _UID.fullmatch(text) is not None


def parse_address(text: str) -> Address:
    """Take an address apart.

    Args:
        text: dicomweb:// (over http) or dicomwebs:// (over https), host, port and path of the server, and
            perhaps /studies/UID or /studies/UID/series/UID.

    Returns:
        The address.

    Raises:
        InputError: if it is none, or holds a password.

    Example:
        >>> parse_address("dicomwebs://pacs/rs/studies/1.2").study_uid
        '1.2'
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InputError("The address of the DICOMweb server is damaged: check host and port.") from None
    if "@" in parts.netloc:
        raise InputError(
            "A user name or password in an address can be read by others: leave it out, and set "
            "MONAI_SR_DICOMWEB_USER and MONAI_SR_DICOMWEB_PASSWORD, or MONAI_SR_DICOMWEB_TOKEN."
        )
    scheme = _SCHEMES.get(parts.scheme.lower())
    if scheme is None or not host:
        raise InputError("A DICOMweb server is named by dicomweb://HOST:PORT/PATH, or dicomwebs:// for TLS.")
    shown = f"{parts.scheme.lower()}://{parts.netloc}"
    if parts.query or parts.fragment:
        raise InputError(f"The address at {shown} has a part after ? or #: leave it out.")
    match = _RESOURCE.fullmatch(parts.path.rstrip("/"))
    uids = [match[name] for name in ("study", "series") if match[name]] if match else []
    # An instance, or a slip in the word series, must not become a part of the server's path.
    if match is None or "studies" in match["root"].split("/") or not all(map(is_uid, uids)):
        raise InputError(
            f"The address at {shown} must end in the server's path, /studies/UID or /studies/UID/series/UID."
        )
    named = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{named}{f':{port}' if port else ''}{match['root'].rstrip('/')}"
    return Address(url, match["study"], match["series"])
