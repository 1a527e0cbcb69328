"""The image as it travels between the parts: frames, place in the patient, meaning of stored values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from monai_sr.intervals import Intervals

MAX_FRAME_PIXELS = 2**26
"""Largest Rows x Columns that is read (8192 x 8192); more is refused before decoding."""

MAX_VOXELS = 2**31
"""Largest number of voxels of one volume that is read."""


class Frames(Protocol):
    """Frames of one size and type: a numpy array, or `LazyFrames`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of frames, rows, columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored values."""

    def __len__(self) -> int:
        """Number of frames."""

    def __getitem__(self, index: int, /) -> NDArray[Any]:
        """One frame, shape [rows, columns]."""


class LazyFrames:
    """Frames that are made one at a time, each when it is asked for, so that a series need not fit in memory.

    Args:
        shape: number of frames, rows, columns.
        dtype: type of the stored values.
        make: gives frame i, of shape [rows, columns] and that type.

    Example:
        >>> frames = LazyFrames((3, 1, 2), np.dtype(np.int16), lambda index: np.full((1, 2), index, np.int16))
        >>> frames[2].tolist(), np.asarray(frames).shape
        ([[2, 2]], (3, 1, 2))
    """

    def __init__(
        self, shape: tuple[int, int, int], dtype: np.dtype[Any], make: Callable[[int], NDArray[Any]]
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.ndim = len(shape)
        self._make = make

    def __len__(self) -> int:
        """Number of frames."""
        return self.shape[0]

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Make one frame, shape [rows, columns]."""
        return self._make(range(len(self))[index])

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Make the frames one after the other."""
        return map(self._make, range(len(self)))

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Make them all, shape [n, rows, columns]."""
        array = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for index, frame in enumerate(self):
            array[index] = frame
        return array


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
        computation: runtime and precision that computed it.

    Raises:
        ValueError: if `scale_factor` < 1.
    """

    scale_factor: int
    bundle: str
    bundle_version: str
    weights_sha256: str
    software_version: str
    description: str = ""
    computation: str = "torch float32"

    def __post_init__(self) -> None:
        if self.scale_factor < 1:
            raise ValueError(f"scale_factor is {self.scale_factor}; give an integer of at least 1")

    @property
    def origin(self) -> str:
        """Bundle, version and hash of the weights, for a reader."""
        return f"bundle {self.bundle} {self.bundle_version}, weights SHA-256 {self.weights_sha256}"


@dataclass(frozen=True)
class Consistency:
    """How much finer frames, degraded again, differ from their sources.

    Args:
        kernel: short name of the degradation.
        largest: absolute difference of a pixel, in stored units.
        rms: root of the mean square of the differences, in stored units.
        enforced: whether the frames were changed to agree.
        left: number of frames that were to be changed to agree, and could not be.
    """

    kernel: str
    largest: float
    rms: float
    enforced: bool = False
    left: int = 0

    @classmethod
    def over(cls, frames: Iterable[Consistency]) -> Consistency | None:
        """That of several frames together.

        Args:
            frames: of one size, by one degradation.

        Returns:
            The largest difference, and the RMS of all; enforced if each was; the sum of those left; None of
            no frames.

        Example:
            >>> Consistency.over([Consistency("kspace", 2.0, 1.0), Consistency("kspace", 8.0, 7.0)])
            Consistency(kernel='kspace', largest=8.0, rms=5.0, enforced=False, left=0)
        """
        found = list(frames)
        if not found:
            return None
        rms = float(np.sqrt(np.mean([frame.rms**2 for frame in found])))
        largest = max(frame.largest for frame in found)
        enforced, left = all(frame.enforced for frame in found), sum(frame.left for frame in found)
        return cls(found[0].kernel, largest, rms, enforced, left)

    def __str__(self) -> str:
        """For a reader."""
        return (
            f"degraded again ({self.kernel}) it differs from its source by at most {self.largest:.3g}, "
            f"RMS {self.rms:.3g}, in stored units"
            + ", made to agree" * self.enforced
            + f", {self.left} of its frames could not be made to agree" * bool(self.left)
        )


@dataclass(frozen=True)
class Acquisition:
    """What a file says of where its image comes from.

    Args:
        modality: DICOM's Modality, such as MR; empty where it is not known.
        body_part: DICOM's BodyPartExamined, in capitals; empty where it is not known.
        has_spacing: whether the file states the size of a pixel; without, 1 mm stands for it.
        is_derived: whether this software made the image.
    """

    modality: str = ""
    body_part: str = ""
    has_spacing: bool = True
    is_derived: bool = False


@dataclass(frozen=True, eq=False)
class Volume:
    """Frames of one series with their geometry, in the values and the type that the file stores.

    Args:
        array: stored values, never rescaled, shape [n, rows, columns], of the file's own type; a numpy array,
            or `LazyFrames`, which `load` turns into one.
        affine: voxel (row, column, frame) to RAS, shape (4, 4), in mm; the mean step where frames are uneven.
        slope: per frame, shape (n,); real value = stored value x slope + intercept.
        intercept: per frame, shape (n,).
        stored_range: least and greatest value that the encoding can hold; infinite for floating point.
        source: what the writer of the same format needs.
        path: the file or folder that was read.
        padding: least and greatest stored value of pixels that hold no image (PixelPaddingValue), or None.
        consistency: of super-resolved frames, by index, those that were made so far.
        acquisition: what the file says of where the image comes from.
        findings: of a super-resolved volume, what speaks against it, each a clause with its numbers.
        intervals: about the pixels of super-resolved frames, where wanted.
        compared: of a super-resolved volume, what was held against the training images, with its numbers;
            empty for nothing.

    Raises:
        ValueError: if shapes disagree.

    Example:
        >>> import numpy as np
        >>> array, affine = np.zeros((3, 8, 6), np.int16), np.diag([0.5, 0.5, 4.0, 1.0])
        >>> volume = Volume(array, affine, np.ones(3), np.zeros(3), (-32768, 32767), Source(), Path("series"))
        >>> volume.spacing
        (0.5, 0.5, 4.0)
    """

    array: Frames
    affine: NDArray[np.float64]
    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    stored_range: tuple[float, float]
    source: Source
    path: Path
    padding: tuple[float, float] | None = None
    consistency: Mapping[int, Consistency] = field(default_factory=dict)
    acquisition: Acquisition = Acquisition()
    findings: tuple[str, ...] = ()
    intervals: Intervals | None = None
    compared: str = ""

    def __post_init__(self) -> None:
        if len(self.array.shape) != 3:
            raise ValueError(f"array has shape {self.array.shape}; give [n, rows, columns]")
        if self.affine.shape != (4, 4):
            raise ValueError(f"affine has shape {self.affine.shape}; give (4, 4)")
        frames = (self.array.shape[0],)
        if self.slope.shape != frames or self.intercept.shape != frames:
            raise ValueError(
                f"slope has shape {self.slope.shape} and intercept {self.intercept.shape}; give {frames}"
            )
        if self.padding is not None and not self.padding[0] <= self.padding[1]:
            raise ValueError(f"padding is {self.padding}; give (least, greatest)")

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring rows, columns and frames, in mm."""
        row, column, frame = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(row), float(column), float(frame)

    def load(self) -> Volume:
        """The same volume with every frame in memory.

        Returns:
            A volume whose `array` is a numpy array.
        """
        return replace(self, array=np.asarray(self.array))

    def real_frame(self, index: int) -> NDArray[np.float64]:
        """Real values of a frame: stored values x slope + intercept.

        Args:
            index: of the frame, from 0.

        Returns:
            Shape [rows, columns].
        """
        return np.asarray(self.array[index].astype(np.float64) * self.slope[index] + self.intercept[index])

    def to_stored(self, real: NDArray[np.float64], index: int, floor: float) -> NDArray[np.float64]:
        """Stored values of real ones of a frame, within what the encoding can hold.

        Args:
            real: real values, any shape; they are overwritten.
            index: of the frame, from 0.
            floor: least stored value.

        Returns:
            `real`, rounded where the encoding holds whole numbers.
        """
        real -= self.intercept[index]
        real /= self.slope[index]
        np.maximum(real, floor, out=real)
        if np.issubdtype(self.array.dtype, np.integer):
            np.rint(real, out=real)
            np.clip(real, *self.stored_range, out=real)
        return real

    def without_image(self, index: int) -> NDArray[np.bool_]:
        """Pixels of a frame that hold no image: padding, and values that are not finite.

        Args:
            index: of the frame, from 0.

        Returns:
            Shape [rows, columns].
        """
        return without_image(self.array[index], self.padding)


def without_image(frame: NDArray[Any], padding: tuple[float, float] | None) -> NDArray[np.bool_]:
    """Pixels that hold no image: padding, and values that are not finite.

    Args:
        frame: stored values, any shape.
        padding: least and greatest stored value of padding, or None.

    Returns:
        A mask of the same shape.

    Example:
        >>> without_image(np.array([-2000.0, 5.0, np.nan]), (-2000, -2000)).tolist()
        [True, False, True]
    """
    empty = ~np.isfinite(frame)
    if padding is not None:
        empty |= (frame >= padding[0]) & (frame <= padding[1])
    return np.asarray(empty)


def fill_nearest(frame: NDArray[Any], empty: NDArray[Any]) -> NDArray[Any]:
    """Give pixels without an image the nearest image's value, so that its edge does not ring.

    Args:
        frame: real values, shape (H, W).
        empty: True where there is no image, same shape.

    Returns:
        A filled frame, all zero where there is no image at all.

    Example:
        >>> fill_nearest(np.array([[5.0, -2000.0, -2000.0]]), np.array([[False, True, True]])).tolist()
        [[5.0, 5.0, 5.0]]
    """
    if not empty.any():
        return frame
    if empty.all():
        return np.zeros_like(frame)
    nearest = distance_transform_edt(empty, return_distances=False, return_indices=True)
    filled: NDArray[Any] = frame[tuple(nearest)]
    return filled
