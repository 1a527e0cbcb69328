"""Measure what data consistency finds and what its enforcement does, on test patients.

The middle slice of every file is brought to whole numbers from 0 to `LEVELS`, degraded, rounded as a
scanner rounds, and super-resolved as it is and with its consistency enforced. PSNR is over the whole slice,
`LEVELS` its range, averaged over a patient's files; the gain is paired, with a 95% bootstrap interval over
patients. What is found goes into `consistency.json` and the documentation's page.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monai_sr.bundle import find_bundle
from monai_sr.degradation import KERNELS
from monai_sr.evaluate import read_datalist
from monai_sr.evaluate.statistics import estimate_mean
from monai_sr.io import open_volume
from monai_sr.trust import DomainGuard
from monai_sr.upscaler import Upscaler
from monai_sr.volume import Source, Volume
from scripts.benchmarks.pages import ROOT, Results

SCALES = (2, 4)
SIZE = 1024
"""Most rows and columns of a slice."""

LEVELS = {"mri": 4095, "oct": 255, "xray": 4095}
"""Greatest stored value, as such images mostly have."""

HEADER = (
    "| bundle | scale | degradation | patients | largest difference as made | enforced | slices enforced "
    "| PSNR as made (dB) | gain by enforcement (dB) |",
    "|---|---|---|---|---|---|---|---|---|",
)


def whole_numbers(path: Path, levels: int, scale: int) -> NDArray[np.float32]:
    """The middle of a file's middle slice, its sides multiples of the scale, as a scanner stores it."""
    volume = open_volume(path)
    values = volume.real_frame(len(volume.array) // 2)
    middle = tuple(
        slice(start := max(side - SIZE, 0) // 2, start + min(side, SIZE) // scale * scale)
        for side in values.shape
    )
    values = values[middle] - values[middle].min()
    return np.rint(values * (levels / values.max())).astype(np.float32)


def measure(path: Path, upscaler: Upscaler, kernel: str, levels: int) -> dict[str, float]:
    """Largest differences and PSNR of one file, as made and enforced."""
    scale = upscaler.scale_factor
    high = whole_numbers(path, levels, scale)
    low = KERNELS[kernel](torch.from_numpy(high)[None], scale).numpy()
    stored = np.rint(low).clip(0, levels).astype(np.uint16)
    volume = Volume(stored, np.eye(4), np.ones(1), np.zeros(1), (0, levels), Source(), path)
    # Each is measured by the kernel that made it, whatever the bundle's own.
    upscaler.kernel, upscaler.guard, found = kernel, DomainGuard(None, scale), {}
    for upscaler.enforce in (False, True):
        finer = upscaler(volume)
        error = np.mean((finer.array[0].astype(np.float64) - high) ** 2)
        name = "enforced" if upscaler.enforce else "made"
        found |= {
            name: finer.consistency[0].largest,
            "rms" if name == "made" else "rms_enforced": finer.consistency[0].rms,
            f"psnr_{name}": float(10 * np.log10(levels**2 / error)),
            "is_enforced": float(finer.consistency[0].enforced),
        }
    return found


def run(bundle: str, scale: int, kernel: str, datalist: Path, levels: int) -> dict[str, Any]:
    """One row of the table."""
    upscaler = Upscaler.from_bundle(bundle, scale)
    by_patient = defaultdict(list)
    for item in read_datalist(datalist):
        by_patient[item.patient].append(measure(item.path, upscaler, kernel, levels))
    files = [found for own in by_patient.values() for found in own]

    def means(key: str) -> NDArray[np.float64]:
        return np.array([np.mean([found[key] for found in own]) for own in by_patient.values()])

    gain = estimate_mean(means("psnr_enforced") - means("psnr_made"))
    return {
        "bundle": bundle,
        "scale": scale,
        "kernel": kernel,
        "levels": levels,
        "patients": len(by_patient),
        "files": len(files),
        "largest_made": round(max(found["made"] for found in files), 2),
        "largest_enforced": round(max(found["enforced"] for found in files), 2),
        "enforced": int(sum(found["is_enforced"] for found in files)),
        "psnr_made": round(float(means("psnr_made").mean()), 3),
        "gain": round(gain.mean, 3),
        "gain_interval": [None if end is None else round(end, 3) for end in (gain.low, gain.high)],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown of what was measured."""
    lines = list(HEADER)
    for row in rows:
        low, high = row["gain_interval"]
        interval = "" if low is None else f" [{low:+.2f}, {high:+.2f}]"
        lines.append(
            f"| {row['bundle']} | {row['scale']} | {row['kernel']} | {row['patients']} "
            f"| {row['largest_made']:.1f} | {row['largest_enforced']:.2f} "
            f"| {row['enforced']} of {row['files']} "
            f"| {row['psnr_made']:.2f} | {row['gain']:+.2f}{interval} |"
        )
    return "\n".join(lines)


RESULTS = Results(Path(__file__), ROOT / "docs" / "howto" / "consistency.md", table)


def main() -> int:
    """Measure bundles by their own degradation and the bicubic one, on the test parts of datalists."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datalists", nargs="+", metavar="MODALITY=FILE", help="JSON with a test part")
    parser.add_argument("--network", default="edsr", help="of the bundles")
    parser.add_argument(
        "--check", action="store_true", help="measure nothing; fail if the page is not up to date"
    )
    arguments = parser.parse_args()
    if arguments.check:
        return RESULTS.check()
    if not arguments.datalists:
        parser.error("--datalists are needed to measure")
    rows = []
    for modality, datalist in (entry.split("=", 1) for entry in arguments.datalists):
        bundle = find_bundle(f"{arguments.network}_{modality}")
        for scale in SCALES:
            for kernel in (bundle.kernel, "bicubic"):
                rows.append(run(bundle.name, scale, kernel, Path(datalist), LEVELS[modality]))
                print(rows[-1], flush=True)
    RESULTS.keep(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
