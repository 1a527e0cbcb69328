"""The images of an evaluation: which files, and the low- and high-resolution slices of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monai_sr.data import load_part
from monai_sr.errors import InputError
from monai_sr.io import read_volume
from monai_sr.metrics.image_quality import MIN_SIZE
from monai_sr.volume import Volume

MIN_SIGNAL = 0.02
"""A slice whose brightest pixel is below this share of the volume's range shows no anatomy."""

Degradation = Callable[[torch.Tensor], Any]
"""Array transform from (1, H, W) to (1, H / scale_factor, W / scale_factor)."""


@dataclass(frozen=True)
class EvaluationItem:
    """One high-resolution file and whose it is.

    Args:
        path: file, or folder of one DICOM series.
        patient: identifier that is equal for all files of a patient; it is never written.
    """

    path: Path
    patient: str


@dataclass(frozen=True, eq=False)
class Pairs:
    """Slices of one file at both resolutions.

    Args:
        low: shape [n, H / scale_factor, W / scale_factor].
        high: shape [n, H, W], values in [0, 1].
        frames: number of each slice in its file, from 1.
        n_left_out: slices of the file without signal.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    frames: tuple[int, ...]
    n_left_out: int


def read_datalist(path: str | Path, part: str = "test") -> list[EvaluationItem]:
    """Read which files of a datalist are to be evaluated.

    Args:
        path: JSON file of `training`, `validation` and `test`, each a list of `{"label": file, "patient":
            identifier}`; files are relative to the JSON's folder.
        part: one of the three.

    Returns:
        The items in their order.

    Raises:
        InputError: if the file is missing or no such JSON, the part is absent or empty, a patient is in two
            parts, or a file does not exist.
    """
    return [EvaluationItem(Path(item["label"]), item["patient"]) for item in load_part(path, part)]


def load_pairs(
    path: Path, degradation: Degradation, scale_factor: int, max_slices: int | None = None
) -> Pairs:
    """Read one file and make its low-resolution slices.

    The volume's real values are scaled linearly from their least and greatest to [0, 1]; rows and columns
    beyond a multiple of `scale_factor` are cropped at the bottom and the right.

    Args:
        path: high-resolution file, or folder of one DICOM series.
        degradation: makes the low-resolution slice.
        scale_factor: integer >= 2.
        max_slices: at most so many slices with signal, evenly spaced; None for all.

    Returns:
        The slices.

    Raises:
        InputError: if the file cannot be read, has values that are not finite or is too small.
        ValueError: if `degradation` gives another size than `scale_factor` says.
    """
    values = _unit_range(read_volume(path))
    rows, columns = (size // scale_factor * scale_factor for size in values.shape[1:])
    smallest = MIN_SIZE * scale_factor
    if min(rows, columns) < smallest:
        raise InputError(
            f"{path} has slices of {values.shape[1]} x {values.shape[2]} pixels: evaluation at scale factor "
            f"{scale_factor} needs {smallest} x {smallest}"
        )
    values = values[:, :rows, :columns]
    has_signal = (values.max(axis=(1, 2)) >= MIN_SIGNAL) & (np.ptp(values, axis=(1, 2)) > 0)
    kept = np.flatnonzero(has_signal)
    if max_slices is not None and len(kept) > max_slices:
        # The middle of each of max_slices equal stretches: neither end of the volume is favoured.
        kept = kept[((np.arange(max_slices) + 0.5) * len(kept) / max_slices).astype(int)]
    high = np.ascontiguousarray(values[kept])
    shape = (rows // scale_factor, columns // scale_factor)
    low = np.empty((len(kept), *shape), dtype=np.float32)
    for index, frame in enumerate(high):
        degraded = np.asarray(degradation(torch.from_numpy(frame)[None]))
        if degraded.shape != (1, *shape):
            raise ValueError(
                f"degradation gives {degraded.shape} for a slice of {frame.shape}; "
                f"scale_factor {scale_factor} asks for {(1, *shape)}"
            )
        low[index] = degraded[0]
    return Pairs(low, high, tuple(int(index) + 1 for index in kept), int((~has_signal).sum()))


def _unit_range(volume: Volume) -> NDArray[np.float32]:
    """Real values scaled to [0, 1]; pixels that hold no image get the least value."""
    count = len(volume.array)
    if not all(np.isfinite(volume.array[index]).all() for index in range(count)):
        raise InputError(f"{volume.path} has values that are not finite: replace them")
    # Frame by frame in double precision: a large volume is held once, an offset costs no precision.
    padding = [volume.without_image(index) for index in range(count)]
    filled = [index for index in range(count) if not padding[index].all()]
    least = min((float(volume.real_frame(index)[~padding[index]].min()) for index in filled), default=0.0)
    greatest = max((float(volume.real_frame(index)[~padding[index]].max()) for index in filled), default=0.0)
    unit = np.zeros(volume.array.shape, dtype=np.float32)
    if greatest > least:
        for index in range(len(unit)):
            unit[index] = np.where(padding[index], 0, (volume.real_frame(index) - least) / (greatest - least))
    return unit
