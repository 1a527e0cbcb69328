"""One slice by every method, as a page shows it, and as text that a browser turns back into its values."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_sr.volume import without_image

MAX_SIDE = 2048
"""Most rows and columns of the finest image that a page shows; of larger images, a part."""

SAMPLES = 2**16
"""About as many pixels of an image are looked at to choose windows."""

NONE = 255
"""Level of a map's pixels that have no value."""

ARRAYS = {
    "u1": "Uint8Array",
    "i1": "Int8Array",
    "u2": "Uint16Array",
    "i2": "Int16Array",
    "u4": "Uint32Array",
    "i4": "Int32Array",
    "f4": "Float32Array",
    "f8": "Float64Array",
}
"""NumPy's type -> the browser's; others are brought to double precision."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Stored values of an image and what they mean.

    Args:
        array: stored values, shape [rows, columns].
        slope: real value = stored value x slope + intercept.
        intercept: see `slope`.
        padding: least and greatest stored value of pixels without image, or None.
    """

    array: NDArray[Any]
    slope: float = 1.0
    intercept: float = 0.0
    padding: tuple[float, float] | None = None

    def sample(self) -> NDArray[np.float64]:
        """Real values of some evenly spaced pixels that hold an image, of one shape for one size."""
        step = max(1, int(np.sqrt(self.array.size / SAMPLES)))
        stored = self.array[::step, ::step]
        real = stored.astype(np.float64) * self.slope + self.intercept
        return np.where(without_image(stored, self.padding), np.nan, real)


@dataclass(frozen=True, eq=False)
class Comparison:
    """One slice before and after.

    Args:
        label: which slice; must not name a patient.
        low: low resolution, shape [rows, columns].
        bicubic: shape [s rows, s columns].
        sr: super-resolved, same shape as `bicubic`.
        target: the true high-resolution image where it is known, same shape, or None.
        pixel: distance between rows and between columns of the finer images, in mm or in pixels.
        maps: of each kind of `monai_sr.report.layers.LAYERS` that there is, values >= 0 of the finer pixels,
            NaN for none, same shape as `bicubic`.
        note: what was measured of this slice, for a reader; may be empty.

    Raises:
        ValueError: if the finer images differ in shape or are no integer times finer than `low`.
    """

    label: str
    low: Picture
    bicubic: Picture
    sr: Picture
    target: Picture | None = None
    pixel: tuple[float, float] = (1.0, 1.0)
    maps: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        shape, coarse = self.sr.array.shape, self.low.array.shape
        finer = [self.bicubic.array, (self.target or self.sr).array, *self.maps.values()]
        if any(array.shape != shape for array in finer):
            raise ValueError(f"the finer images' shapes differ from {shape}; give images of one size")
        if shape != tuple(size * (shape[0] // coarse[0]) for size in coarse):
            raise ValueError(f"low has shape {coarse}; give {shape} divided by an integer")

    @property
    def pictures(self) -> dict[str, Picture]:
        """Name in the page -> image."""
        known = {"low": self.low, "bicubic": self.bicubic, "sr": self.sr}
        return known if self.target is None else {**known, "target": self.target}


@dataclass(frozen=True, eq=False)
class Encoded:
    """A comparison as text.

    Args:
        facts: what the page must know of it, for JSON.
        blocks: name in the page -> Base64 of the zlib-compressed stored values, little-endian, row by row.
        values: real values of some pixels of the low-resolution image.
        extremes: least and greatest real value of any of the images.
        differences: absolute differences between super-resolution and bicubic at some pixels.
        maps: name in the page -> finite values of the map at some pixels.
    """

    facts: Mapping[str, Any]
    blocks: Mapping[str, str]
    values: NDArray[np.float64]
    extremes: tuple[float, float]
    differences: NDArray[np.float64]
    maps: Mapping[str, NDArray[np.float64]]

    @property
    def size(self) -> int:
        """Bytes of the texts."""
        return sum(map(len, self.blocks.values()))


def encode(comparison: Comparison) -> Encoded:
    """Turn a comparison into text; no value of an image is changed but of types that a browser lacks.

    Args:
        comparison: the images, and maps, which are brought to 8 bits.

    Returns:
        The texts and what windows are chosen from.
    """
    samples = {name: picture.sample() for name, picture in comparison.pictures.items()}
    finite = np.concatenate([_finite(sample) for sample in samples.values()])
    differences = np.abs(samples["sr"] - samples["bicubic"])
    maps = {name: quantise(values) for name, values in comparison.maps.items()}
    images, blocks = {}, {}
    for name, picture in (comparison.pictures | maps).items():
        images[name], blocks[name] = encode_picture(picture)
    return Encoded(
        facts={
            "label": comparison.label,
            "note": comparison.note,
            "pixel": list(comparison.pixel),
            "images": images,
        },
        blocks=blocks,
        values=_finite(samples["low"]),
        extremes=(float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0),
        differences=_finite(differences),
        maps={name: _finite(picture.sample()) for name, picture in maps.items()},
    )


def quantise(values: NDArray[Any]) -> Picture:
    """Bring a map to 8 bits, which is as much as a colour tells.

    Args:
        values: at least 0, NaN for none, shape [rows, columns].

    Returns:
        An image of 255 levels from 0 to the largest value, one more for none. Values are rounded up, so that
        no half-width of an interval is understated.

    Example:
        >>> picture = quantise(np.array([[0.0, 1.0, 254.0, np.nan]]))
        >>> picture.array.tolist(), picture.slope, picture.padding
        ([[0, 1, 254, 255]], 1.0, (255, 255))
    """
    known = np.isfinite(values)
    largest = float(values.max(where=known, initial=0))
    slope = largest / (NONE - 1) or 1.0
    # A level that was hit exactly must not become the next one by the division's own rounding.
    levels = np.ceil(np.divide(values, slope, dtype=np.float64) - 1e-4)
    stored = np.where(known, levels, NONE).clip(0, NONE).astype(np.uint8)
    return Picture(stored, slope, padding=(NONE, NONE))


def encode_picture(picture: Picture) -> tuple[dict[str, Any], str]:
    """Turn one image into text; no value is changed but of types that a browser lacks.

    Args:
        picture: the image.

    Returns:
        What the page must know of it, for JSON, and the Base64 of the zlib-compressed stored values,
        little-endian, row by row.
    """
    array, kind = _for_browser(picture.array)
    facts = {
        "type": kind,
        "rows": array.shape[0],
        "columns": array.shape[1],
        "slope": float(picture.slope),
        "intercept": float(picture.intercept),
        "padding": None if picture.padding is None else [float(value) for value in picture.padding],
    }
    return facts, base64.b64encode(zlib.compress(array.tobytes(), 6)).decode("ascii")


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _for_browser(array: NDArray[Any]) -> tuple[NDArray[Any], str]:
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    if kind not in ARRAYS:
        kind = "f8"
    return np.ascontiguousarray(array, dtype=f"<{kind}"), ARRAYS[kind]
