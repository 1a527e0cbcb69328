"""Converted networks, kept on disk from one run to the next."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from torch import fx

from monai_sr.errors import MonaiSRError

_logger = logging.getLogger(__name__)

VARIABLE = "MONAI_SR_CACHE"
MANIFEST = "sha256.json"


def cache_folder() -> Path:
    """Where converted networks are kept.

    Returns:
        The folder that the environment variable `MONAI_SR_CACHE` names, else `monai_sr` in the user's own
        folder for caches (`XDG_CACHE_HOME`, or `~/.cache`).
    """
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "monai_sr"


def network_key(network: fx.GraphModule, *circumstances: str) -> str:
    """What a network computes, in a name.

    Args:
        network: its code and all its numbers count.
        circumstances: what else the result depends on, such as versions.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(repr((network.code, str(network), circumstances)).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def cached(key: str, build: Callable[[Path], None]) -> Path:
    """A folder of files that are made once.

    Args:
        key: names the folder.
        build: writes the files into an empty folder.

    Returns:
        The folder, its files as they were written. Where no folder can be kept, one that is built anew
        each time.

    Raises:
        MonaiSRError: if the disk refuses the files.
    """
    folder = cache_folder() / key
    if folder.exists() or folder.is_symlink():
        if _is_whole(folder):
            return folder
        _logger.warning("%s is damaged: it is made anew", folder)
        _remove(folder)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _kept(folder, build)
    except OSError as error:
        _logger.warning("%s cannot be written (%s): nothing is kept", folder.parent, error.strerror)
    try:
        draft = Path(tempfile.mkdtemp(prefix="monai-sr-"))
        build(draft)
    except OSError as error:
        raise MonaiSRError(
            f"{tempfile.gettempdir()} could not be written ({error.strerror}): make room there, or name "
            f"another folder by {VARIABLE}."
        ) from error
    return draft


def _kept(folder: Path, build: Callable[[Path], None]) -> Path:
    draft = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        build(draft)
        hashes = {file.name: _hash(file) for file in sorted(draft.iterdir())}
        (draft / MANIFEST).write_text(json.dumps(hashes), encoding="utf-8")
        draft.rename(folder)
    except OSError:
        # Another process may have been first, and its files are as good.
        if not _is_whole(folder):
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_whole(folder: Path) -> bool:
    try:
        hashes = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(hashes) and all(_hash(folder / name) == digest for name, digest in hashes.items())
    except (OSError, ValueError, AttributeError):
        return False


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
