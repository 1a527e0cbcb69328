"""Time series of more slices and of larger ones, and an archive on Ray with one worker and two, in one run.

Of series it is the whole command with its start, some seconds, and the peak memory of its process. Each Ray
worker is a node of one CPU; its start is part of it, as it is for a user, so give enough series for it not to
count. What is found goes into scaling.json and the documentation's page.
"""

from __future__ import annotations

import argparse
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
from scripts.benchmarks.pipeline import make_series, run

SERIES = ((10, 128), (100, 128), (1000, 128), (1, 256), (1, 1024), (1, 4096))
"""Slices, and rows and columns of each."""

ARCHIVE = {"series": 16, "slices": 4, "side": 256}


def time_series(bundle: str, slices: int, side: int) -> dict[str, Any]:
    """Seconds and peak memory of the command, once it was run for one slice of that size."""
    with tempfile.TemporaryDirectory() as folder:
        for name, count in (("one", 1), ("series", slices)):
            make_series(Path(folder) / name, count, side, side)
            command = [
                sys.executable,
                "-m",
                "monai_sr",
                "upscale",
                f"{folder}/{name}",
                f"{folder}/{name}_out",
            ]
            seconds, peak = run([*command, "--bundle", bundle])
    return {"slices": slices, "side": side, "seconds": seconds, "peak_gib": peak}


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


def show(kept: dict[str, Any]) -> str:
    """The tables, and what made them."""
    rows = [
        (
            f"{row['slices']} × {row['side']}²",
            f"{row['seconds']:.1f}",
            f"{row['slices'] * (2 * row['side']) ** 2 / 1e6 / row['seconds']:.2f}",
            f"{row['peak_gib']:.2f}",
        )
        for row in kept["images"]
    ]
    images = table(("series", "whole command, s", "megapixels made/s", "peak memory, GiB"), rows)
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
    return f"{images}\n\n{workers}\n\n{made_by(kept['command'], kept['machine'])}"


RESULTS = Results(Path(__file__), ROOT / "docs" / "scaling.md", show)


def main() -> int:
    """Measure and write, or with `--check` compare what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="edsr_mri")
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if the page is stale")
    arguments = parser.parse_args()
    if arguments.check:
        return RESULTS.check()
    images = [time_series(arguments.bundle, slices, side) for slices, side in SERIES]
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        for number in range(ARCHIVE["series"]):
            make_series(archive / f"{number:03d}", ARCHIVE["slices"], ARCHIVE["side"], ARCHIVE["side"])
        seconds = [
            time_archive(archive, Path(folder) / f"out{workers}", arguments.bundle, workers)
            for workers in (1, 2)
        ]
    kept = {
        "command": " ".join(["python -m scripts.benchmarks.scaling", *sys.argv[1:]]),
        "machine": machine(torch.device("cpu")),
        "images": images,
        "archive": {**ARCHIVE, "seconds": seconds},
    }
    RESULTS.keep(kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
