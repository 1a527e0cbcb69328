"""The image as it travels between the parts: frames, place in the patient, meaning of stored values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_FRAME_PIXELS = 2**26
"""Largest Rows x Columns that is read (8192 x 8192); more is refused before decoding."""

MAX_VOXELS = 2**31
"""Largest number of voxels of one volume that is read."""


class Source:
    """What the writer needs to put a volume back into its own format; opaque outside `monai_sr.io`."""


@dataclass(frozen=True)
class Provenance:
    """What made a super-resolved image, recorded in every DICOM instance that is written.

    Args:
        scale_factor: integer >= 1, finer pixels per source pixel and in-plane axis.
        bundle: name of the bundle that held the network.
        bundle_version: version in the bundle's metadata.
        weights_sha256: hexadecimal SHA-256 of the weights file.
        software_version: version of monai-sr.
        description: a sentence on the method, added to DerivationDescription; may be empty.

    Raises:
        ValueError: if `scale_factor` < 1.
    """

    scale_factor: int
    bundle: str
    bundle_version: str
    weights_sha256: str
    software_version: str
    description: str = ""

    def __post_init__(self) -> None:
        if self.scale_factor < 1:
            raise ValueError(f"scale_factor is {self.scale_factor}; give an integer of at least 1")

    @property
    def origin(self) -> str:
        """Bundle, version and hash of the weights, for a reader."""
        return f"bundle {self.bundle} {self.bundle_version}, weights SHA-256 {self.weights_sha256}"


@dataclass(frozen=True, eq=False)
class Volume:
    """Frames of one series with their geometry, in the values and the type that the file stores.

    Args:
        array: stored values, never rescaled, shape [n, rows, columns], of the file's own type.
        affine: voxel (row, column, frame) to RAS, shape (4, 4), in mm; the mean step where frames are uneven.
        slope: per frame, shape (n,); real value = stored value x slope + intercept.
        intercept: per frame, shape (n,).
        stored_range: least and greatest value that the encoding can hold; infinite for floating point.
        source: what the writer of the same format needs.
        path: the file or folder that was read.
        padding: True at pixels that hold no image (PixelPaddingValue), shape of `array`, or None.
        padding_value: the stored value of such pixels, or None.

    Raises:
        ValueError: if shapes disagree.

    Example:
        >>> import numpy as np
        >>> array, affine = np.zeros((3, 8, 6), np.int16), np.diag([0.5, 0.5, 4.0, 1.0])
        >>> volume = Volume(array, affine, np.ones(3), np.zeros(3), (-32768, 32767), Source(), Path("series"))
        >>> volume.spacing
        (0.5, 0.5, 4.0)
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]
    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    stored_range: tuple[float, float]
    source: Source
    path: Path
    padding: NDArray[np.bool_] | None = None
    padding_value: float | None = None

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            raise ValueError(f"array has shape {self.array.shape}; give [n, rows, columns]")
        if self.affine.shape != (4, 4):
            raise ValueError(f"affine has shape {self.affine.shape}; give (4, 4)")
        frames = (self.array.shape[0],)
        if self.slope.shape != frames or self.intercept.shape != frames:
            raise ValueError(
                f"slope has shape {self.slope.shape} and intercept {self.intercept.shape}; give {frames}"
            )
        if self.padding is not None and self.padding.shape != self.array.shape:
            raise ValueError(f"padding has shape {self.padding.shape}; give array's, {self.array.shape}")
        if (self.padding is None) != (self.padding_value is None):
            raise ValueError("padding and padding_value go together; give both or neither")

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring rows, columns and frames, in mm."""
        row, column, frame = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(row), float(column), float(frame)
