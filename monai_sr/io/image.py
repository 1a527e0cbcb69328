"""PNG, TIFF and, to read, JPEG: grayscale of 8 or 16 bits, one frame a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from monai_sr.errors import InputError
from monai_sr.io.atomic import atomic_file
from monai_sr.io.encoding import check_encodable, stored_frame
from monai_sr.io.expansion import check_expansion
from monai_sr.volume import MAX_FRAME_PIXELS, MAX_VOXELS, Acquisition, Provenance, Source, Volume

_TYPES = {"L": np.uint8, "I;16": np.uint16, "I;16B": np.uint16, "I;16L": np.uint16}
"""Stored type of each of Pillow's grayscale modes."""

_CHANNELS = (
    "has colours; only single-channel images of 8 or 16 bits are supported, a stack of them as one page each"
)
_REFUSED = {
    **dict.fromkeys(("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB"), _CHANNELS),
    "F": "holds floating point; convert it to 16 bits or to NIfTI",
    "I": "holds 32-bit or signed integers; convert it to unsigned 16 bits or to NIfTI",
}
"""Why some of Pillow's other modes are not read; tifffile writes a stack of 3 or 4 frames as RGB."""

_REFUSED_OTHERWISE = "has colours or another depth; only single-channel images of 8 or 16 bits are supported"

_FORMATS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""Pillow's format of each suffix."""

_WRITTEN = {"PNG", "TIFF"}
"""What keeps every value; JPEG does not."""


@dataclass(frozen=True, eq=False)
class ImageSource(Source):
    """What a finer image takes from its source.

    Args:
        shape: frames, rows and columns of the source.
        dtype: its stored type.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]


def is_image(path: Path) -> bool:
    """Whether a file is named like PNG, TIFF or JPEG."""
    return path.suffix.lower() in _FORMATS


def output_name(name: str) -> str:
    """The name of an image's finer version: its own, but PNG for JPEG, which would lose detail.

    Args:
        name: of the source file.

    Returns:
        A name that `write_image` takes.

    Example:
        >>> output_name("scan.tif"), output_name("scan.jpeg")
        ('scan.tif', 'scan.png')
    """
    path = Path(name)
    return name if _format(path) in _WRITTEN else path.with_suffix(".png").name


def _format(path: Path) -> str | None:
    return _FORMATS.get(path.suffix.lower())


def read_image(path: Path) -> Volume:
    """Volume of one PNG, TIFF or JPEG file; a pixel counts as 1 mm.

    Args:
        path: a file that `is_image` knows.

    Returns:
        The volume, one frame a page.

    Raises:
        InputError: if the file cannot be read, has colours or another depth.
    """
    try:
        with Image.open(path, formats=[_FORMATS[path.suffix.lower()]]) as image:
            array = _pages(image, path)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except Exception:
        raise InputError(f"{path} is not a readable {_format(path)} file; export it again") from None
    limits = np.iinfo(array.dtype)
    return Volume(
        array=array,
        affine=np.eye(4),
        slope=np.ones(len(array)),
        intercept=np.zeros(len(array)),
        stored_range=(float(limits.min), float(limits.max)),
        source=ImageSource((array.shape[0], array.shape[1], array.shape[2]), array.dtype),
        path=path,
        acquisition=Acquisition(has_spacing=False),
    )


def _pages(image: Image.Image, path: Path) -> NDArray[Any]:
    count = getattr(image, "n_frames", 1)
    columns, rows = image.size
    if rows * columns > MAX_FRAME_PIXELS or count * rows * columns > MAX_VOXELS:
        raise _too_large(path)
    mode = image.mode
    if mode not in _TYPES:
        raise InputError(f"{path} {_REFUSED.get(mode, _REFUSED_OTHERWISE)}")
    array = np.empty((count, rows, columns), _TYPES[mode])
    check_expansion(path, array.nbytes)
    for index in range(count):
        image.seek(index)
        if image.size != (columns, rows) or image.mode != mode:
            raise InputError(
                f"{path} has pages of different sizes or depths; split it into files of one kind"
            )
        array[index] = np.asarray(image)
    return array


def _too_large(path: Path) -> InputError:
    return InputError(f"{path} is too large: over {MAX_FRAME_PIXELS} pixels are not supported; crop it first")


def check_image_output(volume: Volume, path: Path) -> None:
    """Refuse an output that cannot hold the volume.

    Args:
        volume: what was read from PNG, TIFF or JPEG.
        path: the output.

    Raises:
        InputError: with the remedy.
    """
    if _format(path) not in _WRITTEN:
        raise InputError(f"{path} must end in .png, .tif or .tiff, since the input is such an image")
    if len(volume.array) > 1 and _format(path) != "TIFF":
        raise InputError(f"{path} cannot hold {len(volume.array)} pages; name a .tif file")


def write_image(volume: Volume, source: ImageSource, path: Path, provenance: Provenance) -> None:
    """Write the finer frames in the source's depth.

    Args:
        volume: finer frames in stored values.
        source: where they derive from.
        path: a .png, .tif or .tiff file, checked to be free.
        provenance: gives the scale factor; these formats have no place for the rest.

    Raises:
        ValueError: if the volume does not fit its source.
        MonaiSRError: if the disk refuses; nothing is left then.
    """
    check_encodable(volume, *source.shape, source.dtype, provenance.scale_factor)
    frames = (stored_frame(volume, index) for index in range(len(volume.array)))
    first, *others = (Image.fromarray(np.ascontiguousarray(frame)) for frame in frames)
    with atomic_file(path) as file:
        if _format(path) == "TIFF":
            first.save(file, compression="tiff_adobe_deflate", save_all=True, append_images=others)
        else:
            first.save(file)
