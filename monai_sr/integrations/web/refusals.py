"""What the server does not do, and the HTTP status that says so; the sentence is shown on the page."""

from __future__ import annotations

from monai_sr.errors import InputError, MonaiSRError


class TooLargeError(InputError):
    """More bytes or files than the server takes."""


class GoneError(InputError):
    """A job that is not there, or no longer."""

    def __init__(self) -> None:
        super().__init__("The server does not have this image: it was removed, or the server was restarted")


class BusyError(InputError):
    """As many jobs as the server takes are there."""


class OutOfTurnError(InputError):
    """A request that does not fit what is being done with the job."""


_STATUS: dict[type[MonaiSRError], int] = {
    TooLargeError: 413,
    GoneError: 404,
    BusyError: 503,
    OutOfTurnError: 409,
    InputError: 422,
}


def status_of(error: MonaiSRError) -> int:
    """The HTTP status of an error.

    Args:
        error: what was raised.

    Returns:
        That of its class or the nearest above it, and 500 for what is no fault of the request.

    Example:
        >>> status_of(GoneError()), status_of(InputError("No image.")), status_of(MonaiSRError("Disk full."))
        (404, 422, 500)
    """
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
