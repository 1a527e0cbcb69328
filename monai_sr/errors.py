"""Errors that a user is meant to read: one sentence with the remedy, no traceback."""

from __future__ import annotations


class MonaiSRError(Exception):
    """A failure while doing what was asked, such as a disk that fills; the commands exit with 1."""

    exit_code = 1


class InputError(MonaiSRError):
    """An input or a request that cannot be served as it stands; the commands exit with 2."""

    exit_code = 2
