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
from monai_sr.volume import Volume


class VolumeReader(ImageReader):
    """Reads every format of `monai_sr.io.read_volume` for `LoadImage` and `LoadImaged`.

    Images come as float32 real values of shape (rows, columns, frames) with the affine of these axes, in RAS
    mm. Frames are the acquired slices, so that the first two axes are always the plane to super-resolve.
    """

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Every path is ours: `read_volume` says what it cannot read, no other reader is tried."""
        return True

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Volume:
        """Read one file or one series.

        Args:
            data: path of a file or of a folder that holds one DICOM series.
            kwargs: none are known.

        Returns:
            The volume.

        Raises:
            ValueError: if several paths or further arguments are given.
            InputError: if the file cannot be read.
        """
        paths = ensure_tuple(data)
        if len(paths) != 1 or kwargs:
            raise ValueError(
                f"data must be one path and nothing else, got {len(paths)} paths and {sorted(kwargs)}."
            )
        return read_volume(Path(paths[0]))

    def get_data(self, img: Volume) -> tuple[np.ndarray, dict[str, Any]]:
        """Array and metadata, as MONAI's readers give them.

        Args:
            img: the volume.

        Returns:
            float32 real values of shape (rows, columns, frames), and a dictionary with `affine`,
            `original_affine`, `spatial_shape` and `original_channel_dim`.
        """
        real = img.array * img.slope[:, None, None] + img.intercept[:, None, None]
        array = np.moveaxis(real, 0, -1).astype(np.float32)
        return array, {
            "affine": img.affine,
            "original_affine": img.affine,
            "spatial_shape": np.asarray(array.shape),
            "original_channel_dim": float("nan"),
            "space": "RAS",
        }
