"""Measure whether flipped and turned copies of a source tell more of the error than the released heads.

A self-ensemble super-resolves every flip and turn of a source and turns the results back; where they differ,
the network is unsure. Intervals about one result are made of that spread, of the head's guess, and of both,
each scaled to hold the same share of the pixels of test patients, so that the narrower one tells more. The
numbers are kept in self_ensemble.json, beside this script, and shown by docs/howto/uncertainty.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monai_sr.bundle import Bundle
from monai_sr.degradation import KERNELS
from monai_sr.evaluate import EvaluationItem, read_datalist
from monai_sr.intensity import IntensityRange
from monai_sr.io import open_volume
from monai_sr.trust.uncertainty import COVERAGE, guess
from monai_sr.upscaler import Upscaler
from scripts.benchmarks.pages import ROOT, Results

SIDE = 192
"""Finer pixels of the middle that is looked at."""

PLACES = (0.4, 0.6)
"""Of the slices of a volume, as a share of their number."""

WEIGHTS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Of the spread, where both are taken; the best is reported."""

Orientation = tuple[int, bool]
ORIENTATIONS: dict[str, list[Orientation]] = {
    "mri": [(turns, flipped) for turns in range(4) for flipped in (False, True)],
    "oct": [(0, False), (0, True)],  # light comes from above
    "xray": [(turns, flipped) for turns in range(4) for flipped in (False, True)],
}
"""Quarter turns, then left to right or not; the first is the source as it is."""


def ensemble(
    upscaler: Upscaler, low: NDArray[np.float32], orientations: list[Orientation]
) -> NDArray[np.float32]:
    """Results of a source in several orientations, turned back.

    Args:
        upscaler: of the network.
        low: normalised, shape (H, W).
        orientations: quarter turns, and whether flipped.

    Returns:
        Shape (orientations, H·s, W·s).
    """
    results = []
    for turns, flipped in orientations:
        turned = np.rot90(low, turns)
        turned = np.ascontiguousarray(np.fliplr(turned) if flipped else turned)
        finer = upscaler.runtime(torch.from_numpy(turned)[None, None])[0, 0].numpy()
        results.append(np.rot90(np.fliplr(finer) if flipped else finer, -turns))
    return np.stack(results)


def middles(item: EvaluationItem, kernel: str, scale: int) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """Normalised sources and originals of a file's middle."""
    volume = open_volume(item.path)
    for index in sorted({int(place * (len(volume.array) - 1)) for place in PLACES}):
        frame = volume.real_frame(index).astype(np.float32)
        rows, columns = (slice(start := max(size - SIDE, 0) // 2, start + SIDE) for size in frame.shape)
        high = frame[rows, columns]
        low = KERNELS[kernel](torch.from_numpy(np.ascontiguousarray(high))[None], scale)[0].numpy()
        found = IntensityRange.from_array(low)
        yield found.normalize(low).astype(np.float32), found.normalize(high).astype(np.float32)


def measure(bundle: Bundle, scale: int, datalist: Path) -> dict[str, Any]:
    """One row: mean widths relative to the head's, and what the mean of all orientations gains."""
    upscaler = Upscaler.from_bundle(bundle.root, scale, device="cpu", consistency="off")
    head, _ = bundle.interval_head(scale)
    head.eval()
    orientations = ORIENTATIONS[bundle.name.rpartition("_")[2]]
    parts: dict[str, list[NDArray[np.float32]]] = {"error": [], "guess": [], "spread": []}
    gains, items = [], read_datalist(datalist, "test")
    for item in items:
        for low, high in middles(item, bundle.kernel or "bicubic", scale):
            results = ensemble(upscaler, low, orientations)
            error = np.abs(high - results[0])
            parts["error"].append(error.ravel())
            parts["guess"].append(guess(head, low, results[0]).ravel())
            parts["spread"].append(results.std(0).ravel())
            gains.append(10 * np.log10(np.mean(error**2) / np.mean((high - results.mean(0)) ** 2)))
    error, guessed, spread = (np.concatenate(found) for found in parts.values())
    alone = width(error, guessed)
    return {
        "bundle": bundle.name,
        "scale": scale,
        "patients": len({item.patient for item in items}),
        "images": len(gains),
        "orientations": len(orientations),
        "psnr_gain": float(np.mean(gains)),
        "spread": width(error, spread + 1e-6) / alone,
        "both": min(width(error, np.hypot(guessed, weight * spread)) for weight in WEIGHTS) / alone,
    }


def width(error: NDArray[np.float32], guessed: NDArray[np.float32]) -> float:
    """Mean half-width of intervals in proportion to a guess that hold the stated share of the pixels."""
    return float(np.quantile(error / guessed, COVERAGE) * guessed.mean())


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| bundle | scale | test patients | times the cost | width by spread alone | by head and spread "
        "| PSNR gain of the mean (dB) |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['bundle']} | x{row['scale']} | {row['patients']} ({row['images']} slices) "
        f"| {row['orientations']} | {row['spread']:.2f} | {row['both']:.3f} | {row['psnr_gain']:+.3f} |"
        for row in rows
    ]
    return "\n".join(lines)


RESULTS = Results(Path(__file__), ROOT / "docs" / "howto" / "uncertainty.md", table)


def main() -> int:
    """Measure, or with `--check` fail where the page's table is not that of the kept numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datalists", nargs="+", default=[], metavar="MODALITY=FILE")
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if the page is stale")
    arguments = parser.parse_args()
    if arguments.check:
        return RESULTS.check()
    if not arguments.datalists:
        parser.error("--datalists are needed to measure")
    rows = []
    for modality, datalist in (entry.split("=", 1) for entry in arguments.datalists):
        bundle = Bundle(ROOT / "bundles" / f"edsr_{modality}")
        rows += [measure(bundle, scale, Path(datalist)) for scale in bundle.scale_factors]
        print(table(rows), flush=True)
    RESULTS.keep(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
