"""Train the heads that guess how far released networks are off, and calibrate them on other patients.

Heads learn from the training patients and are calibrated on those of validation. Where these are too few,
both are taken together: each image is then scored by a head that saw nothing of its patient, and the head
that is released saw them all. Test patients take no part. What is found goes into the bundles'
`models/interval_model*.pt` and `docs/intervals.json`; `scripts/build_bundles.py` takes it into the metadata.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monai_sr.bundle import Bundle, weights_file
from monai_sr.degradation import KERNELS
from monai_sr.evaluate import EvaluationItem, read_datalist
from monai_sr.intensity import IntensityRange
from monai_sr.io import open_volume
from monai_sr.networks import IntervalHead
from monai_sr.trust.uncertainty import COVERAGE, Scores, calibrate, guess, least_units, left_out
from monai_sr.upscaler import Upscaler
from scripts.benchmarks.coverage import holds_image

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
WINDOWS = 108
"""About how many parts of images a head learns from."""

SIDE = 192
"""Of such a part, in finer pixels, or the whole image where that is smaller."""

MIDDLE = 512
"""Side of the middle of an image that is calibrated on, likewise: with the background that images have."""

SLICES = 4
"""Of each image that is calibrated on, at most."""

CROP = 64
BATCH = 6
ITERATIONS = 1200
LEARNING_RATE = 4e-3
FOLDS = 4
SCORED = 20000
"""Pixels of a part that are scored."""

LOGGED = 100


@dataclass(frozen=True, eq=False)
class Window:
    """A part of an image, normalised: source, super-resolved, original.

    Args:
        patient: whose it is.
        image: number of the file.
        low: shape (H, W).
        finer: shape (H·s, W·s).
        high: likewise.
        counted: pixels of it that hold an image, likewise.
    """

    patient: str
    image: int
    low: NDArray[np.float32]
    finer: NDArray[np.float32]
    high: NDArray[np.float32]
    counted: NDArray[np.bool_]


def windows(
    items: Sequence[EvaluationItem],
    upscaler: Upscaler,
    kernel: str,
    count: int,
    side: int,
    rng: np.random.Generator | None,
) -> Iterator[Window]:
    """Parts of images and what the network makes of them.

    Args:
        items: high-resolution files.
        upscaler: of the network.
        kernel: short name of the degradation.
        count: about how many at most, as many of each file.
        side: of each, in finer pixels.
        rng: chooses where they lie; the middle without one.

    Yields:
        Of the middle slices of a volume, evenly spaced, or all of the one image; no middle twice.
    """
    scale = upscaler.scale_factor
    for number, item in enumerate(items):
        volume = open_volume(item.path)
        each = max(1, round(count / len(items)))
        chosen = [int(place * (len(volume.array) - 1)) for place in np.linspace(0.2, 0.8, each)]
        if rng is None:  # another look at the same middle tells nothing more
            chosen = sorted(set(chosen))
        highs = [volume.real_frame(index) for index in chosen]
        rows, columns = (size // scale * scale for size in highs[0].shape)
        highs = [high[:rows, :columns].astype(np.float32) for high in highs]
        lows = [KERNELS[kernel](torch.from_numpy(high)[None], scale)[0].numpy() for high in highs]
        positive = all((high >= 0).all() for high in highs)
        if positive:  # no scanner stores the negative overshoot of a truncated k-space
            lows = [np.maximum(low, 0) for low in lows]
        found = IntensityRange.from_array(np.stack(lows))
        for low, high in zip(lows, highs, strict=True):
            shape = [min(side // scale, size) for size in low.shape]
            free = [size - part + 1 for size, part in zip(low.shape, shape, strict=True)]
            row, column = ((size - 1) // 2 if rng is None else int(rng.integers(size)) for size in free)
            there = (slice(row, row + shape[0]), slice(column, column + shape[1]))
            source = found.normalize(low[there]).astype(np.float32)
            finer = upscaler.runtime(torch.from_numpy(source)[None, None])[0, 0].numpy()
            if positive:  # as an upscaler does it
                finer = np.maximum(finer, np.float32(found.normalize(np.zeros(1))[0]))
            part = tuple(slice(place.start * scale, place.stop * scale) for place in there)
            original = found.normalize(high[part]).astype(np.float32)
            yield Window(item.patient, number, source, finer, original, holds_image(high)[part])


def train(
    data: Sequence[Window], scale: int, seed: int, iterations: int = ITERATIONS
) -> tuple[IntervalHead, list[float]]:
    """Train a head by the pinball loss of its share, relative to the mean error of each crop.

    Every patient is drawn as often, however many images there are of one.

    Args:
        data: what it learns from.
        scale: scale factor.
        seed: of its initial weights and of the crops.
        iterations: how many.

    Returns:
        The head, and the mean loss of every `LOGGED` iterations.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    head = IntervalHead(scale)
    optimizer = torch.optim.Adam(head.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=iterations)
    patients = [
        [each for each in data if each.patient == patient]
        for patient in sorted({each.patient for each in data})
    ]
    losses: list[float] = []
    for _ in range(iterations):
        own = [patients[int(rng.integers(len(patients)))] for _ in range(BATCH)]
        drawn = [_crop(some[int(rng.integers(len(some)))], scale, rng) for some in own]
        low, finer, high = (torch.from_numpy(np.stack(parts))[:, None] for parts in zip(*drawn, strict=True))
        error = (high - finer).abs()
        off = (error - head(low, finer)) / (error.mean((1, 2, 3), keepdim=True) + 1e-3)
        loss = torch.maximum(COVERAGE * off, (COVERAGE - 1) * off).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return head, [float(np.mean(losses[first : first + LOGGED])) for first in range(0, iterations, LOGGED)]


def _crop(window: Window, scale: int, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    size = CROP // scale
    low = window.low
    if min(low.shape) < size:
        raise ValueError(f"a window of {low.shape} is smaller than a crop of {size}")
    row, column = (int(rng.integers(length - size + 1)) for length in low.shape)
    parts = [low[row : row + size, column : column + size]]
    for image in (window.finer, window.high):
        parts.append(image[row * scale : (row + size) * scale, column * scale : (column + size) * scale])
    for axis in (0, 1):
        if rng.integers(2):
            parts = [np.flip(part, axis) for part in parts]
    return [np.ascontiguousarray(part) for part in parts]


def score(head: IntervalHead, data: Sequence[Window], unit: str, rng: np.random.Generator) -> list[Scores]:
    """Errors over guessed half-widths, of each unit.

    Args:
        head: guesses them.
        data: of patients that it has not seen.
        unit: `patient` or `image`.
        rng: chooses pixels.

    Returns:
        One entry for each unit, in the order of first appearance.
    """
    units: dict[Any, list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = {}
    for window in data:
        ratio = np.abs(window.high - window.finer) / guess(head.eval(), window.low, window.finer)
        counted = np.flatnonzero(window.counted)
        if not counted.size:
            continue
        pixels = counted[rng.integers(len(counted), size=SCORED)]
        units.setdefault(getattr(window, unit), []).append(
            (window.finer.ravel()[pixels], ratio.ravel()[pixels])
        )
    return [
        (np.concatenate([a for a, _ in found]), np.concatenate([b for _, b in found]))
        for found in units.values()
    ]


def release(bundle: Bundle, scale: int, datalist: Path, seed: int) -> dict[str, Any]:
    """Train, calibrate and write the head of one network at one scale.

    Args:
        bundle: with weights and a degradation.
        scale: scale factor.
        datalist: datalist JSON.
        seed: of everything that is drawn.

    Returns:
        What its card is to say.
    """
    kernel = bundle.kernel
    if kernel is None:
        raise ValueError(f"{bundle.name} states no degradation")
    rng = np.random.default_rng(seed)
    upscaler = Upscaler.from_bundle(bundle.root, scale, device="cpu", consistency="off")
    learned, kept = (read_datalist(datalist, part) for part in ("training", "validation"))
    patients = {item.patient for item in kept}
    together = len(patients) < least_units(COVERAGE)
    if together:
        learned, kept = [*learned, *kept], []
        patients = {item.patient for item in learned}
    data = list(windows(learned, upscaler, kernel, WINDOWS, SIDE, rng))
    head, losses = train(data, scale, seed)
    unit = "patient" if len(patients) >= least_units(COVERAGE) else "image"
    judged = learned if together else kept
    middles = list(windows(judged, upscaler, kernel, SLICES * len(judged), MIDDLE, None))
    if together:
        scores = []
        order = sorted(patients)
        for fold in range(FOLDS):
            out = set(order[fold::FOLDS])
            other, _ = train([each for each in data if each.patient not in out], scale, seed + 1 + fold)
            scores += score(other, [each for each in middles if each.patient in out], unit, rng)
    else:
        scores = score(head, middles, unit, rng)
    found = calibrate(scores, unit, kernel)
    shares = left_out(scores)
    target = weights_file(bundle.root, scale, "interval")
    torch.save(head.state_dict(), target)
    with (bundle.root / "docs" / f"intervals_x{scale}.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["iteration", "loss"])
        rows.writerows([(number + 1) * LOGGED, f"{loss:.5f}"] for number, loss in enumerate(losses))
    own = weights_file(bundle.root, scale)
    return {
        "coverage": found.coverage,
        "kernel": kernel,
        "levels": [round(level, 5) for level in found.levels],
        "factors": [round(factor, 4) for factor in found.factors],
        "unit": unit,
        "units": found.units,
        "patients": len(patients),
        "calibrated_on": "training and validation, each unseen by its head" if together else "validation",
        "left_out_coverage": {
            "mean": round(float(np.mean(shares)), 4),
            "least": round(min(shares), 4),
            "greatest": round(max(shares), 4),
        },
        "seed": seed,
        "weights_sha256": {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (own, target)
        },
    }


def main() -> int:
    """Train the heads of the modalities that datalists are given for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datalists", nargs="+", required=True, metavar="MODALITY=FILE")
    parser.add_argument("--only", nargs="+", help="releases to train, such as edsr_mri_x2; all by default")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for modality, datalist in (entry.split("=", 1) for entry in arguments.datalists):
        for bundle in map(Bundle, sorted(BUNDLES.glob(f"*_{modality}"))):
            target = bundle.root / "docs" / "intervals.json"
            for scale in bundle.scale_factors:
                if arguments.only is not None and f"{bundle.name}_x{scale}" not in arguments.only:
                    continue
                found = release(bundle, scale, Path(datalist), arguments.seed)
                kept = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
                kept[f"x{scale}"] = found
                text = json.dumps(dict(sorted(kept.items())), indent=1) + "\n"
                target.write_text(text, encoding="utf-8")
                print(bundle.name, f"x{scale}", found, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
