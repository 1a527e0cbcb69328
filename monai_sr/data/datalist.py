"""The parts of a datalist, as items for MONAI's datasets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_sr.errors import InputError
from monai_sr.splitting import PARTS, check_datalist


def load_part(datalist: str | Path, part: str) -> list[dict[str, str]]:
    """Items of one part of a datalist.

    Args:
        datalist: JSON file written by `monai-sr split`; relative paths in it start from its folder.
        part: `training`, `validation` or `test`.

    Returns:
        Items with the key `label`, the path of a high-resolution image, and `patient`, an identifier.

    Raises:
        InputError: if the file cannot be read, lacks the part, has a patient in two parts, or names a file
            that does not exist.
    """
    path = Path(datalist)
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{path} does not exist: make a datalist with `monai-sr split DATASET_DIR`."
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a datalist in JSON: make one with `monai-sr split`.") from error
    if not isinstance(parts, dict) or not all(_are_items(parts.get(name, [])) for name in PARTS):
        raise InputError(
            f"{path} is not a datalist: each part must be a list of items with label and patient."
        )
    if part not in PARTS:
        raise InputError(f"There is no part {part}: use one of {', '.join(PARTS)}.")
    if not parts.get(part):
        raise InputError(f"{path} has no images in its part {part}: split again with more patients.")
    check_datalist(parts, path)
    items = [{**item, "label": str(path.parent / item["label"])} for item in parts[part]]
    for item in items:
        if not Path(item["label"]).exists():
            raise InputError(f"{item['label']}, named in {path}, does not exist: split the dataset anew.")
    return items


def patient_weights(items: Sequence[Mapping[str, Any]]) -> list[float]:
    """Weights by which a sampler draws every patient equally often, however many images each has.

    Args:
        items: what `load_part` gave.

    Returns:
        For each item, one over the number of images of its patient.

    Example:
        >>> patient_weights([{"patient": "a"}, {"patient": "b"}, {"patient": "b"}])
        [1.0, 0.5, 0.5]
    """
    counts = Counter(item["patient"] for item in items)
    return [1 / counts[item["patient"]] for item in items]


def _are_items(content: Any) -> bool:
    return isinstance(content, list) and all(
        isinstance(item, dict) and all(isinstance(value, str) for value in item.values()) for item in content
    )
