"""Time series of more slices and of larger ones, and an archive on Ray with one worker and with two.

Of series it is the whole command with its start, some seconds, and the peak memory of its process. Each Ray
worker is a node of one CPU; its start is part of it, as it is for a user. One and two take turns, and the
least of each counts. What is found goes into scaling.json and the documentation's page.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from ray.cluster_utils import Cluster

from monai_sr.batch import run_archive
from monai_sr.batch.ray_engine import RayEngine
from monai_sr.upscaler import Upscaler
from scripts.benchmarks.pages import ROOT, Results, machine, made_by, table
from scripts.benchmarks.pipeline import make_series, upscale

SERIES = ((10, 128, 2), (100, 128, 2), (1000, 128, 2), (1, 256, 2), (1, 1024, 2), (1, 4096, 2), (1, 4096, 4))
"""Slices, rows and columns of each, scale factor."""

TURNS = 2
ARCHIVE = {"series": 16, "slices": 4, "side": 256}


def time_series(bundle: str, slices: int, side: int, scale: int) -> dict[str, Any]:
    """Seconds and peak memory of the command, whose converted network is in the cache."""
    options = ("--bundle", bundle, "--scale-factor", str(scale))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_series(folder / "small", 1, 64, 64)
        upscale(folder / "small", folder / "first", *options)
        make_series(folder / "series", slices, side, side)
        seconds, peak = upscale(folder / "series", folder / "finer", *options)
    return {"slices": slices, "side": side, "scale": scale, "seconds": seconds, "peak_gib": peak}


def time_archive(archive: Path, out: Path, bundle: str, workers: int) -> float:
    """Seconds for an archive.

    Args:
        archive: folder of series.
        out: folder that is made.
        bundle: name.
        workers: nodes of one CPU each.

    Returns:
        Wall time, of which the cluster's own start is no part.
    """
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(workers):
            cluster.add_node(num_cpus=1)
        options = {"bundle": bundle, "device": "cpu"}
        provenance = Upscaler.from_bundle(**options).provenance
        begin = time.perf_counter()
        engine = RayEngine(cluster.address, options, provenance, out)
        summary = run_archive(Upscaler.from_bundle(**options), archive, out, engine=engine)
        seconds = time.perf_counter() - begin
        if set(summary.counts) != {"done"}:
            raise RuntimeError(f"not all was done: {dict(summary.counts)}")
        return seconds
    finally:
        cluster.shutdown()


def measure_images(bundle: str) -> dict[str, Any]:
    """One row for each of `SERIES`."""
    return {"rows": [time_series(bundle, *series) for series in SERIES]}


def measure_archive(bundle: str) -> dict[str, Any]:
    """Seconds of one worker and of two."""
    seconds = [math.inf, math.inf]
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        for number in range(ARCHIVE["series"]):
            make_series(archive / f"{number:03d}", ARCHIVE["slices"], ARCHIVE["side"], ARCHIVE["side"])
        for turn in range(TURNS):
            for workers in (1, 2):
                out = Path(folder) / f"out{turn}{workers}"
                seconds[workers - 1] = min(seconds[workers - 1], time_archive(archive, out, bundle, workers))
    return {**ARCHIVE, "seconds": seconds}


MEASURES = {"images": measure_images, "archive": measure_archive}


def show(kept: dict[str, Any]) -> str:
    """The tables, and what made them."""
    rows = [
        (
            f"{row['slices']} × {row['side']}²",
            f"x{row['scale']}",
            f"{row['seconds']:.1f}",
            f"{row['slices'] * (row['scale'] * row['side']) ** 2 / 1e6 / row['seconds']:.2f}",
            f"{row['peak_gib']:.2f}",
        )
        for row in kept["images"]["rows"]
    ]
    images = table(("series", "scale", "whole command, s", "megapixels made/s", "peak memory, GiB"), rows)
    archive = kept["archive"]
    one, two = archive["seconds"]
    workers = table(
        ("archive", "one worker, s", "two workers, s", "ratio"),
        [
            (
                f"{archive['series']} series of {archive['slices']} × {archive['side']}²",
                f"{one:.1f}",
                f"{two:.1f}",
                f"{one / two:.2f}",
            )
        ],
    )
    made = (made_by(part["command"], part["machine"]) for part in (kept["images"], archive))
    return "\n\n".join(f"{shown}\n\n{how}" for shown, how in zip((images, workers), made, strict=True))


RESULTS = Results(Path(__file__), ROOT / "docs" / "scaling.md", show)


def main() -> int:
    """Measure and write, or with `--check` compare what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="edsr_mri")
    parser.add_argument(
        "--parts", nargs="+", choices=MEASURES, default=list(MEASURES), help="the others' numbers stay"
    )
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if the page is stale")
    arguments = parser.parse_args()
    if arguments.check:
        return RESULTS.check()
    kept = RESULTS.kept()
    for part in arguments.parts:
        # Each says for itself how it was made, as the other may be older.
        kept[part] = {
            **MEASURES[part](arguments.bundle),
            "command": f"python -m scripts.benchmarks.scaling --bundle {arguments.bundle} --parts {part}",
            "machine": machine(torch.device("cpu")),
        }
    RESULTS.keep(kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
