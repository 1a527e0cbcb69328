"""Time an archive on a Ray cluster of one and of two workers, each of one CPU, in one run.

The workers' start, some seconds, is part of it, as it is for a user; give enough series for it not to count.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from ray.cluster_utils import Cluster

from monai_sr.batch import run_archive
from monai_sr.batch.ray_engine import RayEngine
from monai_sr.upscaler import Upscaler
from scripts.benchmarks.pipeline import make_series


def measure(archive: Path, out: Path, bundle: str, workers: int) -> float:
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


def main() -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="edsr_mri")
    parser.add_argument("--series", type=int, default=24)
    parser.add_argument("--slices", type=int, default=4)
    parser.add_argument("--size", type=int, default=256, help="rows and columns")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        for number in range(arguments.series):
            make_series(archive / f"{number:03d}", arguments.slices, arguments.size, arguments.size)
        one, two = (
            measure(archive, Path(folder) / f"out{workers}", arguments.bundle, workers) for workers in (1, 2)
        )
    found = {**vars(arguments), "one_worker_seconds": one, "two_workers_seconds": two, "speedup": one / two}
    print(
        json.dumps(
            {key: round(value, 2) if isinstance(value, float) else value for key, value in found.items()}
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
