"""Measure which share of the pixels of test patients the intervals of the released networks hold.

Each image is made coarser by the bundle's own degradation, super-resolved with intervals as `monai-sr upscale
--uncertainty` does it, and compared with the original. A patient's share is that over all pixels that hold an
image (`holds_image`), each image counting the same; so are those of its thirds by intensity, from dark to
bright. The numbers are kept in coverage.json, beside this script; the table of docs/howto/uncertainty.md is
drawn from it alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from monai_sr.bundle import Bundle
from monai_sr.degradation import KERNELS
from monai_sr.evaluate import EvaluationItem, read_datalist
from monai_sr.evaluate.statistics import estimate_mean
from monai_sr.intensity import IntensityRange
from monai_sr.io import open_volume
from monai_sr.trust import DomainGuard
from monai_sr.upscaler import Upscaler
from monai_sr.volume import Volume
from scripts.benchmarks.pages import with_results

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = Path(__file__).with_suffix(".json")
PAGE = ROOT / "docs" / "howto" / "uncertainty.md"
SLICES = 4
SIDE = 512
"""Finer pixels of the middle of a larger image that are looked at."""

MASKED = 5
"""Side of the square of pixels that all have an image's least value where its background was cut away."""

TERCILES = ("dark", "middle", "bright")


def pair(item: EvaluationItem, kernel: str, scale: int) -> tuple[Volume, NDArray[np.float64]]:
    """A coarser volume, in floating point, and the original frames.

    Args:
        item: high-resolution file.
        kernel: short name of the degradation.
        scale: scale factor.

    Returns:
        The volume, and real values of shape [n, rows, columns].
    """
    volume = open_volume(item.path)
    count = len(volume.array)
    chosen = sorted({int(index) for index in np.linspace(0.2, 0.8, SLICES) * (count - 1)})
    frames = []
    for index in chosen:
        frame = volume.real_frame(index)
        rows, columns = (min(size, SIDE) // scale * scale for size in frame.shape)
        top, left = (frame.shape[0] - rows) // 2, (frame.shape[1] - columns) // 2
        frames.append(frame[top : top + rows, left : left + columns])
    high = np.stack(frames)
    low = [KERNELS[kernel](torch.from_numpy(frame.astype(np.float32))[None], scale)[0] for frame in high]
    coarse = replace(
        volume,
        array=np.maximum(torch.stack(low).numpy(), 0 if (high >= 0).all() else -np.inf),
        slope=np.ones(len(high)),
        intercept=np.zeros(len(high)),
        stored_range=(-np.inf, np.inf),
        padding=None,
    )
    return coarse, high


def holds_image(high: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Where an original was not cut away, as around a skull: what is trivially right there flatters.

    Args:
        high: frames, shape (n, H, W) or (H, W).

    Returns:
        Likewise; all of an image that was not cut.

    Example:
        >>> image = np.zeros((7, 7))
        >>> image[:, 6] = 1
        >>> holds_image(image)[3].tolist()
        [False, False, False, False, True, True, True]
    """
    around = (*(1,) * (high.ndim - 2), MASKED, MASKED)
    return np.asarray(maximum_filter(high, around) > high.min())


def shares(upscaler: Upscaler, coarse: Volume, high: NDArray[np.float64]) -> dict[str, float]:
    """Which share of the pixels of an image lies within the intervals.

    Args:
        upscaler: with uncertainty.
        coarse: the source.
        high: the original.

    Returns:
        Share of all, of each third, and the median half-width as a share of the source's range.
    """
    finer = upscaler(coarse)
    if finer.intervals is None:
        raise ValueError("the upscaler has no uncertainty")
    values = np.asarray(finer.array, np.float64)
    half_width = np.stack([finer.intervals.take(index) for index in range(len(high))])
    counted = holds_image(high)
    within = (np.abs(high - values) <= half_width)[counted]
    order = np.argsort(values[counted], kind="stable")
    found = {"all": float(within.mean())}
    for name, part in zip(TERCILES, np.array_split(order, len(TERCILES)), strict=True):
        found[name] = float(within[part].mean())
    whole = IntensityRange.from_array(np.asarray(coarse.array))
    return found | {"half_width": float(np.median(half_width[counted])) / (whole.upper - whole.lower)}


def measure(bundle: Bundle, scale: int, datalist: Path) -> dict[str, Any]:
    """Shares of one network at one scale.

    Args:
        bundle: with calibrated intervals.
        scale: scale factor.
        datalist: datalist JSON, whose test part is taken.

    Returns:
        Mean over patients, with a bootstrap interval over patients, and each patient's.
    """
    upscaler = Upscaler.from_bundle(bundle.root, scale, device="cpu", consistency="off", uncertainty=True)
    upscaler.guard = DomainGuard(None, scale)  # it would warn of sources that keep the original's spacing
    patients: dict[str, list[dict[str, float]]] = {}
    for item in read_datalist(datalist, "test"):
        found = shares(upscaler, *pair(item, bundle.kernel or "bicubic", scale))
        patients.setdefault(item.patient, []).append(found)
    each = [
        {name: float(np.mean([image[name] for image in images])) for name in images[0]}
        for images in patients.values()
    ]
    row: dict[str, Any] = {"bundle": bundle.name, "scale": scale, "kernel": bundle.kernel}
    entry = bundle.card["intervals"][f"x{scale}"]
    row |= {"units": f"{entry['units']} {entry['unit']}s", "patients": len(each)}
    row |= {"images": sum(map(len, patients.values())), "weights_sha256": entry["weights_sha256"]}
    for name in each[0]:
        estimate = estimate_mean([patient[name] for patient in each])
        row[name] = {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}
    row["each"] = [round(patient["all"], 4) for patient in each]
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| bundle | scale | calibrated on | test patients | coverage [95% interval] "
        "| least, greatest patient | dark | middle | bright | median half-width |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        whole = "{mean:.1%} [{low:.1%}, {high:.1%}]".format(**row["all"])
        thirds = " | ".join(f"{row[name]['mean']:.1%}" for name in TERCILES)
        lines.append(
            f"| {row['bundle']} | x{row['scale']} | {row['units']} "
            f"| {row['patients']} ({row['images']} images) | {whole} "
            f"| {min(row['each']):.1%}, {max(row['each']):.1%} | {thirds} | {row['half_width']['mean']:.2%} |"
        )
    return "\n".join(lines) + "\n"


def draw(rows: list[dict[str, Any]]) -> str:
    """The page with the table in its place."""
    return with_results(PAGE, "scripts/benchmarks/coverage.py", table(rows).rstrip("\n"))


def released(modality: str) -> Iterator[tuple[Bundle, int]]:
    """Bundles of a modality, and the scales whose intervals were calibrated."""
    for card in sorted((ROOT / "bundles").glob(f"*_{modality}/configs/metadata.json")):
        bundle = Bundle(card.parents[1])
        for scale in bundle.scale_factors:
            if f"x{scale}" in bundle.card.get("intervals", {}):
                yield bundle, scale


def _kept() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.is_file() else []
    return rows


def _order(row: dict[str, Any]) -> tuple[str, int, str]:
    return row["bundle"].rpartition("_")[2], row["scale"], row["bundle"]


def main() -> int:
    """Measure, or with `--check` fail where the page's table is not that of the kept numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datalists", nargs="+", default=[], metavar="MODALITY=FILE")
    parser.add_argument("--only", nargs="+", help="such as edsr_mri_x2; all by default")
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if the page is stale")
    arguments = parser.parse_args()
    for modality, datalist in (entry.split("=", 1) for entry in arguments.datalists):
        for bundle, scale in released(modality):
            if arguments.only is not None and f"{bundle.name}_x{scale}" not in arguments.only:
                continue
            row = measure(bundle, scale, Path(datalist))
            print(table([row]), flush=True)
            rows = [kept for kept in _kept() if _order(kept) != _order(row)]
            rows = sorted([*rows, row], key=_order)
            NUMBERS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    text = draw(_kept())
    if arguments.check:
        return int(text != PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
