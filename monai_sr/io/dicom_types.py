"""What is known of DICOM instances before their pixels are decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydicom.dataset import FileDataset

from monai_sr.volume import Source


class Encoding(NamedTuple):
    """How pixels are stored; one series has one encoding."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    photometric_interpretation: str

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """Type of stored values."""
        return np.dtype(f"{'i' if self.pixel_representation else 'u'}{self.bits_allocated // 8}")

    @property
    def stored_range(self) -> tuple[float, float]:
        """Least and greatest value that BitsStored can hold."""
        if self.pixel_representation:
            return -(2.0 ** (self.bits_stored - 1)), 2.0 ** (self.bits_stored - 1) - 1
        return 0.0, 2.0**self.bits_stored - 1

    def stored(self, value: int) -> int:
        """`value` as its lowest BitsStored bits mean it, whichever sign its own encoding gave it."""
        value &= 2**self.bits_stored - 1
        return value - 2**self.bits_stored if value > self.stored_range[1] else value


class Plane(NamedTuple):
    """Where the centre of the first pixel lies (ImagePositionPatient, mm) and how rows and columns run."""

    position: tuple[float, ...]
    orientation: tuple[float, ...]


@dataclass(frozen=True)
class Frame:
    """What a header says of one frame.

    Args:
        plane: where it lies, or None.
        spacing: distance between rows, then between columns, in mm; None where the header has none.
        thickness: SliceThickness in mm, 1 where absent.
        slope: RescaleSlope, 1 where absent.
        intercept: RescaleIntercept, 0 where absent.
    """

    plane: Plane | None
    spacing: tuple[float, ...] | None
    thickness: float
    slope: float
    intercept: float


@dataclass(frozen=True, eq=False)
class Instance:
    """One image file: its header without pixels, and what the header says of pixels and geometry.

    Args:
        path: the file.
        header: all attributes before the pixel data.
        encoding: how pixels are stored.
        frames: its frames, in their order in the file; one in a single-frame image.
        padding: least and greatest stored value of pixels without image, or None.
    """

    path: Path
    header: FileDataset
    encoding: Encoding
    frames: tuple[Frame, ...]
    padding: tuple[int, int] | None

    @property
    def number_of_frames(self) -> int:
        """How many frames the file holds."""
        return len(self.frames)


class Place(NamedTuple):
    """Where a frame of a volume stands in its files: which instance, and which of its frames, from 0."""

    instance: int
    frame: int


@dataclass(frozen=True, eq=False)
class DicomSource(Source):
    """What a derived series takes from its source.

    Args:
        instances: the files, in the order in which the derived ones are written.
        places: for every frame of the volume, where it stands in them.
        study_series: SeriesNumber and SeriesInstanceUID of every series of the same study in the same folder.
    """

    instances: tuple[Instance, ...]
    places: tuple[Place, ...]
    study_series: tuple[tuple[int, str], ...]
