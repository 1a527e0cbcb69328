"""MONAI's image reader over `read_volume`, so that bundles and commands read files alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import ensure_tuple

from monai_sr.io import read_volume


class VolumeReader(ImageReader):
    """Reads every format of `monai_sr.io.read_volume` for `LoadImage` and `LoadImaged`.

    Images come as float32 real values of shape (rows, columns, frames) with the affine of these axes, in RAS
    mm. Frames are the acquired slices, so that the first two axes are always the plane to super-resolve.
    """

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Every path is ours: `read_volume` says what it cannot read."""
        return True

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> tuple[PathLike, ...]:
        """Take note of a file or a series, which `get_data` reads.

        `LoadImage` swallows what is raised here and quietly tries MONAI's other readers, which might take
        one of several series or the wrong plane. What `get_data` raises reaches the caller.

        Args:
            data: path of a file or of a folder that holds one DICOM series.
            kwargs: none are known.

        Returns:
            The paths.

        Raises:
            ValueError: if further arguments are given.
        """
        if kwargs:
            raise ValueError(f"kwargs must be empty, got {', '.join(sorted(kwargs))}.")
        paths: tuple[PathLike, ...] = ensure_tuple(data)
        return paths

    def get_data(self, img: Sequence[PathLike]) -> tuple[np.ndarray, dict[str, Any]]:
        """Array and metadata, as MONAI's readers give them.

        Args:
            img: what `read` gave.

        Returns:
            float32 real values of shape (rows, columns, frames), and a dictionary with `affine`,
            `original_affine`, `spatial_shape` and `original_channel_dim`.

        Raises:
            ValueError: if there are several paths.
            InputError: if the file cannot be read.
        """
        if len(img) != 1:
            raise ValueError(f"img must be one path, got {len(img)}.")
        volume = read_volume(Path(img[0]))
        array = np.empty((*volume.array.shape[1:], len(volume.array)), np.float32)
        for index in range(len(volume.array)):
            array[..., index] = volume.real_frame(index)
        return array, {
            "affine": volume.affine,
            "original_affine": volume.affine,
            "spatial_shape": np.asarray(array.shape),
            "original_channel_dim": float("nan"),
            "space": "RAS",
        }
