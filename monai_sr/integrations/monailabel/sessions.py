"""Sessions: images that a client sends once and then works on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from monailabel.utils.sessions import SessionInfo, Sessions

from monai_sr.errors import InputError
from monai_sr.integrations.monailabel.checks import check_session


class SafeSessions(Sessions):
    """MONAI Label's sessions for identifiers that it gave itself, and files that are what they seem."""

    def get_session(self, session_id: str, update_ts: bool = True, fetch_cache: bool = True) -> SessionInfo:
        """A session that is there.

        Args:
            session_id: as a client gave it.
            update_ts: whether it begins anew to expire.
            fetch_cache: whether what is in memory is taken.

        Returns:
            The session, or None if it has expired.

        Raises:
            NotFoundError: if the identifier is none.
        """
        return super().get_session(check_session(session_id), update_ts, fetch_cache)

    def remove_session(self, session_id: str) -> None:
        """Delete a session and its files.

        Args:
            session_id: as a client gave it.

        Raises:
            NotFoundError: if the identifier is none.
        """
        super().remove_session(check_session(session_id))

    def add_session(
        self, data_file: str, expiry: int = 0, uncompress: bool = False, session_id: Any = None
    ) -> Any:
        """Keep files for a while.

        Args:
            data_file: a file, or a folder of files, which is moved.
            expiry: seconds.
            uncompress: refused, as nothing bounds what an archive unpacks to.
            session_id: of the session; a new one by default.

        Returns:
            The identifier and the session.

        Raises:
            InputError: if an archive is to be unpacked.
        """
        if uncompress:
            shutil.rmtree(Path(data_file).parent, ignore_errors=True)
            raise InputError("Archives are not unpacked: send the files themselves, all in one request.")
        return super().add_session(data_file, expiry, False, session_id)
