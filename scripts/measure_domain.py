"""Measure what each modality's training images were, for the bundles' metadata: bundles/_parts/domain_*.json.

Patients of the training and validation parts are measured, never those of the test part.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monai_sr.data import load_part
from monai_sr.degradation import KERNELS
from monai_sr.geometry import scale_affine
from monai_sr.io import read_volume
from monai_sr.survey import survey
from monai_sr.trust.appearance import EDGES, PIXELS, appearance
from monai_sr.trust.guard import FRAMES, sample_frames
from monai_sr.trust.likeness import Likeness
from monai_sr.volume import Volume

PARTS = Path(__file__).resolve().parents[1] / "bundles" / "_parts"
SCALES = (2, 4)
QUANTILES = (0.01, 0.99)
"""Robust least and greatest."""

EDGE_MARGIN = 0.25
"""Share of the range of a statistic of the degradation by which it is widened at each end."""

LEAST_MARGIN = 0.05
"""The least that it is widened by, in powers of ten."""

LIMIT_MARGIN = 1.5
"""By how many times an image may be further off than 95% of those left out of the measure."""

FACTS: dict[str, dict[str, Any]] = {
    "mri": {
        "images": "MR slices",
        "modalities": ["MR"],
        "body_parts": ["BRAIN", "HEAD", "SKULL", "CSPINE", "NECK"],
        "inverted": False,
        "any_orientation": True,
    },
    "oct": {
        "images": "OCT B-scans",
        "modalities": ["OPT", "OCT"],
        "body_parts": ["EYE", "RETINA"],
        "inverted": False,
        "any_orientation": False,
    },
    "xray": {
        "images": "X-ray images",
        "modalities": ["CR", "DX"],
        "body_parts": ["CHEST", "THORAX"],
        "inverted": True,
        "any_orientation": False,
    },
}
"""What no pixel tells. MR slices lie in any orientation, B-scans have depth along the rows."""


@dataclass(frozen=True)
class Measured:
    """Statistics of one image.

    Args:
        patient: whose it is.
        scale: 1 as it is in its file, else how many times coarser it was made.
        kernel: short name of the degradation, empty for scale 1.
        found: what `appearance` gave.
    """

    patient: str
    scale: int
    kernel: str
    found: dict[str, float]


def coarser(volume: Volume, kernel: str, scale_factor: int) -> Volume:
    """What the scanner of a coarser image would have stored.

    Args:
        volume: a high-resolution image in memory.
        kernel: short name of the degradation.
        scale_factor: how many times coarser.

    Returns:
        The image, its values of the same type and within those of the original.
    """
    stored = np.asarray(volume.array)
    rows, columns = (size // scale_factor * scale_factor for size in stored.shape[1:])
    frames = [
        KERNELS[kernel](torch.from_numpy(frame[None, :rows, :columns].astype(np.float32)), scale_factor)[0]
        for frame in stored
    ]
    low = np.stack(frames).clip(stored.min(), stored.max())
    if np.issubdtype(stored.dtype, np.integer):
        low = low.round()
    affine = volume.affine @ np.linalg.inv(scale_affine(np.eye(4), scale_factor))
    return replace(volume, array=low.astype(stored.dtype), affine=affine)


def measure(volume: Volume) -> dict[str, float]:
    """Statistics of a volume as a bundle's guard measures them."""
    return appearance(sample_frames(volume, survey(volume)[0]))


def sampled(volume: Volume, frames: int = FRAMES) -> Volume:
    """A volume of some evenly spaced frames, which stand for all of it."""
    count = len(volume.array)
    kept = sorted({int((place + 0.5) * count / frames) for place in range(frames)})
    return replace(
        volume,
        array=np.asarray(volume.array)[kept],
        slope=volume.slope[kept],
        intercept=volume.intercept[kept],
    )


def measured(datalist: str, kernel: str) -> Iterator[tuple[Volume, list[Measured]]]:
    """Each file of the training and validation parts, and its statistics at every scale."""
    for part in ("training", "validation"):
        for item in load_part(datalist, part):
            volume = sampled(read_volume(item["label"]))
            found = [Measured(item["patient"], 1, "", measure(volume))]
            for scale in SCALES:
                for name in dict.fromkeys(("bicubic", kernel)):
                    low = coarser(volume, name, scale)
                    found.append(Measured(item["patient"], scale, name, measure(low)))
            yield volume, found


def transposed(image: Measured) -> Measured:
    """The same image with rows and columns exchanged."""
    found = dict(image.found, grain=-image.found["grain"])
    for name in ("fall", "edge"):
        found[f"{name}_down"], found[f"{name}_across"] = found[f"{name}_across"], found[f"{name}_down"]
    return replace(image, found=found)


def likeness(images: list[Measured]) -> Likeness:
    """That of images, each patient with the same weight."""
    counts = Counter(image.patient for image in images)
    return Likeness.of([image.found for image in images], [1 / counts[image.patient] for image in images])


def limit(images: list[Measured]) -> float:
    """The distance that an image of a patient who was not measured keeps."""
    left_out = [
        likeness([other for other in images if other.patient != image.patient]).distance(image.found)
        for image in images
    ]
    return float(LIMIT_MARGIN * np.quantile(left_out, 0.95))


def domain(kind: str, kernel: str, images: list[Measured], volumes: list[Volume]) -> dict[str, Any]:
    """A modality's domain, but for the likeness of others.

    Args:
        kind: the modality.
        kernel: short name of its degradation.
        images: what was measured.
        volumes: of the files.

    Returns:
        The content of `domain` in a bundle's metadata.
    """
    facts = dict(FACTS[kind])
    if facts.pop("any_orientation"):
        images = [*images, *map(transposed, images)]
    spacings = [value for volume in volumes if volume.acquisition.has_spacing for value in volume.spacing[:2]]
    sides = [size for volume in volumes for size in volume.array.shape[1:]]
    own = likeness(images)
    return facts | {
        "files": len(volumes),
        "patients": len({image.patient for image in images}),
        "pixel_spacing_mm": [round(min(spacings), 4), round(max(spacings), 4)] if spacings else None,
        "rows_columns": [min(sides), max(sides)],
        "statistics": {name: _between([image.found[name] for image in images]) for name in PIXELS},
        "limit": round(limit(images), 2),
        "likeness": _stated(own),
        "edges": {
            f"x{scale}": {
                name: _between(
                    [each.found[name] for each in images if (each.scale, each.kernel) == (scale, kernel)],
                    EDGE_MARGIN,
                )
                for name in EDGES
            }
            for scale in SCALES
        },
    }


def _between(values: list[float], margin: float = 0.0) -> list[float]:
    low, high = (float(bound) for bound in np.quantile(values, QUANTILES))
    wider = max(LEAST_MARGIN, margin * (high - low)) if margin else 0.0
    return [round(low - wider, 4), round(high + wider, 4)]


def _stated(found: Likeness) -> dict[str, list[float]]:
    def rounded(values: Any) -> list[float]:
        return [float(f"{value:.6g}") for value in values]

    return {"mean": rounded(found.mean), "covariance": rounded(found.covariance)}


def main() -> None:
    """Measure every modality that has a datalist, and write its part; all are needed, each for the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--datalists",
        nargs="+",
        required=True,
        metavar="MODALITY=FILE",
        help="datalist JSON of each modality, made by `monai-sr split`: mri=mri.json oct=oct.json xray=...",
    )
    datalists = dict(pair.split("=", 1) for pair in parser.parse_args().datalists)
    if datalists.keys() != FACTS.keys():
        parser.error(f"--datalists needs each of {', '.join(FACTS)}")
    recipes = json.loads((PARTS / "recipes.json").read_text(encoding="utf-8"))["modalities"]
    found = {}
    for kind, datalist in datalists.items():
        volumes, images = [], []
        for volume, each in measured(datalist, recipes[kind]["kernel"]):
            volumes.append(volume)
            images += [image for image in each if image.found]
        found[kind] = domain(kind, recipes[kind]["kernel"], images, volumes)
        print(f"{kind}: {len(images)} images of {found[kind]['patients']} patients", flush=True)
    for kind, content in found.items():
        others = {found[other]["images"]: found[other]["likeness"] for other in found if other != kind}
        text = json.dumps({"domain": content | {"others": others}}, indent=4) + "\n"
        (PARTS / f"domain_{kind}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
