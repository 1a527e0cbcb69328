"""Errors that a user is meant to read: one sentence with the remedy, no traceback."""

from __future__ import annotations

import sys
from types import TracebackType


class MonaiSRError(Exception):
    """A failure while doing what was asked, such as a disk that fills; the commands exit with 1."""

    exit_code = 1


class InputError(MonaiSRError):
    """An input or a request that cannot be served as it stands; the commands exit with 2."""

    exit_code = 2


def explain_mistakes() -> None:
    """Let a program that one of our errors ends say its sentence alone, whatever it was wrapped in.

    For programs that are not ours, such as `python -m monai.bundle`. Other errors keep their traceback.
    """
    show = sys.excepthook

    def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, MonaiSRError):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            show(kind, error, trace)
        else:
            print(f"Error: {cause}", file=sys.stderr)

    sys.excepthook = explain
