"""One slice by every method, as a page shows it, and as text that a browser turns back into its values."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_sr.volume import without_image

MAX_SIDE = 2048
"""Most rows and columns of the finest image that a page shows; of larger images, a part."""

SAMPLES = 2**16
"""About as many pixels of an image are looked at to choose windows."""

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

    Raises:
        ValueError: if the finer images differ in shape or are no integer times finer than `low`.
    """

    label: str
    low: Picture
    bicubic: Picture
    sr: Picture
    target: Picture | None = None
    pixel: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        shape, coarse = self.sr.array.shape, self.low.array.shape
        if any(picture.array.shape != shape for picture in (self.bicubic, self.target or self.sr)):
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
    """

    facts: Mapping[str, Any]
    blocks: Mapping[str, str]
    values: NDArray[np.float64]
    extremes: tuple[float, float]
    differences: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Bytes of the texts."""
        return sum(map(len, self.blocks.values()))


def encode(comparison: Comparison) -> Encoded:
    """Turn a comparison into text; no value is changed but of types that a browser lacks.

    Args:
        comparison: the images.

    Returns:
        The texts and what windows are chosen from.
    """
    samples = {name: picture.sample() for name, picture in comparison.pictures.items()}
    finite = np.concatenate([_finite(sample) for sample in samples.values()])
    differences = np.abs(samples["sr"] - samples["bicubic"])
    images, blocks = {}, {}
    for name, picture in comparison.pictures.items():
        images[name], blocks[name] = encode_picture(picture)
    return Encoded(
        facts={"label": comparison.label, "pixel": list(comparison.pixel), "images": images},
        blocks=blocks,
        values=_finite(samples["low"]),
        extremes=(float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0),
        differences=_finite(differences),
    )


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
