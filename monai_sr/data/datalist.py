"""The parts of a datalist, as items for MONAI's datasets."""

from __future__ import annotations

import json
from pathlib import Path

from monai_sr.errors import InputError


def load_part(datalist: str | Path, part: str, dataset_dir: str | Path | None = None) -> list[dict[str, str]]:
    """Items of one part of a datalist.

    Args:
        datalist: JSON file written by `monai-sr split`.
        part: `training`, `validation` or `test`.
        dataset_dir: folder that relative paths in the datalist start from; the datalist's own by default.

    Returns:
        Items with the key `label`, the path of a high-resolution image, and `patient`, an identifier.

    Raises:
        InputError: if the file cannot be read, lacks the part, or names a file that does not exist.
    """
    path = Path(datalist)
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: make a datalist with `monai-sr split DATASET_DIR`.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a datalist in JSON: make one with `monai-sr split`.") from error
    items = parts.get(part) if isinstance(parts, dict) else None
    if not items:
        raise InputError(f"{path} has no images in its part `{part}`: split again with more patients.")
    root = Path(dataset_dir) if dataset_dir is not None else path.parent
    found = [{"label": str(root / item["label"]), "patient": str(item["patient"])} for item in items]
    for item in found:
        if not Path(item["label"]).exists():
            raise InputError(f"{item['label']}, named in {path}, does not exist: give its folder as dataset_dir.")
    return found
