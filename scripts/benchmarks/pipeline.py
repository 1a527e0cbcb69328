"""Time the whole command `monai-sr upscale` on a DICOM series beside its network alone, and its peak memory.

The command is run once before it counts, so that the converted network is in the cache. The network alone
gets as many frames of the same size by the same runtime, one after the other, half of them before the command
and half behind it, so that what else the machine does meanwhile harms both alike.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydicom import dcmread
from pydicom.uid import generate_uid
from scipy.ndimage import zoom

from monai_sr.sample import sample_series_dir
from scripts.benchmarks.pages import ROOT, Results, machine, made_by, table

ALONE = """
import sys, time, torch
from monai_sr.upscaler import Upscaler
upscaler = Upscaler.from_bundle(sys.argv[1], 2)
runtime = upscaler.runtime
image = torch.rand(1, 1, int(sys.argv[3]), int(sys.argv[4]))
runtime(image)
begin = time.perf_counter()
for _ in range(int(sys.argv[2])):
    runtime(image)
print(time.perf_counter() - begin, upscaler.provenance.computation)
"""


def make_series(folder: Path, slices: int, rows: int, columns: int) -> None:
    """A series as large as asked for, of the embedded sample's images, enlarged.

    Args:
        folder: is made.
        slices: number of images.
        rows: of each.
        columns: of each.
    """
    folder.mkdir(parents=True)
    sources = [dcmread(path) for path in sorted(sample_series_dir().iterdir())]
    series, first = generate_uid(), sources[0]
    position = np.array(first.ImagePositionPatient, float)
    step = np.array(sources[1].ImagePositionPatient, float) - position
    frames = [
        zoom(image.pixel_array, (rows / image.Rows, columns / image.Columns), order=1) for image in sources
    ]
    spacing = [first.PixelSpacing[0] * first.Rows / rows, first.PixelSpacing[1] * first.Columns / columns]
    for index in range(slices):
        first.SOPInstanceUID = first.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        first.SeriesInstanceUID, first.InstanceNumber = series, index + 1
        first.ImagePositionPatient = [round(float(value), 3) for value in position + index * step]
        first.Rows, first.Columns, first.PixelSpacing = rows, columns, spacing
        first.PixelData = frames[index % len(frames)].astype(np.uint16).tobytes()
        first.save_as(folder / f"{index:05d}.dcm")


def upscale(source: Path, out: Path, *options: str) -> tuple[float, float]:
    """Wall seconds and peak memory in GiB of the command's process, whose children are few and small."""
    command = [sys.executable, "-m", "monai_sr", "upscale", str(source), str(out), *options]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        peak = max(
            [peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))]
        )
        time.sleep(0.02)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - begin, peak / 2**20


def alone(bundle: str, frames: int, rows: int, columns: int) -> tuple[float, str]:
    """Seconds that the network takes for so many frames, in a process of its own, and by what it computes."""
    made = subprocess.run(
        [sys.executable, "-c", ALONE, bundle, *map(str, (frames, rows, columns))],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, computation = made.stdout.strip().split(" ", 1)
    return float(seconds), computation


def measure(bundle: str, slices: int, rows: int, columns: int) -> dict[str, Any]:
    """The command against its network, for one size of series."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_series(folder / "series", slices, rows, columns)
        make_series(folder / "one", 1, rows, columns)
        upscale(folder / "one", folder / "first", "--bundle", bundle)
        one, _ = upscale(folder / "one", folder / "second", "--bundle", bundle)
        before, _ = alone(bundle, slices // 2, rows, columns)
        seconds, peak = upscale(folder / "series", folder / "finer", "--bundle", bundle)
        behind, computation = alone(bundle, slices - slices // 2, rows, columns)
    return {
        "bundle": bundle,
        "slices": slices,
        "rows": rows,
        "columns": columns,
        "command_seconds": seconds,
        "computation": computation,
        "network_seconds": before + behind,
        "one_slice_seconds": one,
        "peak_gib": peak,
    }


def show(kept: dict[str, Any]) -> str:
    """The table, and what made it."""
    titles = (
        "bundle",
        "series",
        "computed by",
        "whole command, s",
        "network alone, s",
        "ratio",
        "one slice, s",
        "peak memory, GiB",
    )
    rows = [
        (
            row["bundle"],
            f"{row['slices']} × {row['rows']} × {row['columns']}",
            row["computation"],
            f"{row['command_seconds']:.1f}",
            f"{row['network_seconds']:.1f}",
            f"{row['command_seconds'] / row['network_seconds']:.2f}",
            f"{row['one_slice_seconds']:.1f}",
            f"{row['peak_gib']:.2f}",
        )
        for row in kept["rows"]
    ]
    return f"{table(titles, rows)}\n\n{made_by(kept['command'], kept['machine'])}"


RESULTS = Results(Path(__file__), ROOT / "docs" / "speed.md", show)


def main() -> int:
    """Measure and write, or with `--check` compare what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", nargs="+", default=["edsr_mri", "srgan_mri", "swift_srgan_mri"])
    parser.add_argument("--slices", type=int, default=160)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--columns", type=int, default=460)
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if the page is stale")
    arguments = parser.parse_args()
    if arguments.check:
        return RESULTS.check()
    size = (arguments.slices, arguments.rows, arguments.columns)
    rows = [measure(bundle, *size) for bundle in arguments.bundles]
    command = " ".join(["python -m scripts.benchmarks.pipeline", *sys.argv[1:]])
    RESULTS.keep({"command": command, "machine": machine(torch.device("cpu")), "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
