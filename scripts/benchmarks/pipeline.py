"""Time the whole command `monai-sr upscale` on a DICOM series beside its network alone, and its peak memory.

The command is run once before it counts, so that the converted network is in the cache. The network alone
gets as many frames of the same size by the same runtime, one after the other, half of them before the command
and half behind it, so that what else the machine does meanwhile harms both alike.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.uid import generate_uid
from scipy.ndimage import zoom

from monai_sr.sample import sample_series_dir

ALONE = """
import sys, time, torch
from monai_sr.upscaler import Upscaler
runtime = Upscaler.from_bundle(sys.argv[1], 2).runtime
image = torch.rand(1, 1, int(sys.argv[3]), int(sys.argv[4]))
runtime(image)
begin = time.perf_counter()
for _ in range(int(sys.argv[2])):
    runtime(image)
print(time.perf_counter() - begin)
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


def run(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory in GiB of a command's process, whose children are few and small."""
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


def alone(bundle: str, frames: int, rows: int, columns: int) -> float:
    """Seconds that the network takes for so many frames, in a process of its own."""
    made = subprocess.run(
        [sys.executable, "-c", ALONE, bundle, *map(str, (frames, rows, columns))],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(made.stdout)


def measure(bundle: str, slices: int, rows: int, columns: int) -> dict[str, Any]:
    """The command against its network, for one size of series."""
    with tempfile.TemporaryDirectory() as folder:
        series = Path(folder) / "series"
        make_series(series, slices, rows, columns)

        def upscale(name: str) -> tuple[float, float]:
            out = Path(folder) / name
            return run(
                [sys.executable, "-m", "monai_sr", "upscale", str(series), str(out), "--bundle", bundle]
            )

        make_series(Path(folder) / "one", 1, rows, columns)
        one = [sys.executable, "-m", "monai_sr", "upscale", f"{folder}/one", "--bundle", bundle]
        run([*one, f"{folder}/first"])
        start, _ = run([*one, f"{folder}/second"])
        network = alone(bundle, slices // 2, rows, columns)
        seconds, peak = upscale("finer")
        network += alone(bundle, slices - slices // 2, rows, columns)
    return {
        "bundle": bundle,
        "series": f"{slices} x {rows} x {columns}",
        "command_seconds": round(seconds, 1),
        "network_seconds": round(network, 1),
        "one_slice_seconds": round(start, 1),
        "ratio_without_start": round((seconds - (start - network / slices)) / network, 3),
        "within_1.15_network_plus_5": seconds <= 1.15 * network + 5,
        "peak_gib": round(peak, 2),
    }


def main() -> int:
    """Measure and print one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="edsr_mri")
    parser.add_argument("--slices", type=int, nargs="+", default=[160])
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--columns", type=int, default=460)
    arguments = parser.parse_args()
    for slices in arguments.slices:
        print(json.dumps(measure(arguments.bundle, slices, arguments.rows, arguments.columns)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
