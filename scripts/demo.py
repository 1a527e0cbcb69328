"""The main job on the embedded sample: a derived DICOM series, and a picture of it beside its source."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from monai_sr import read_volume
from monai_sr.evaluate import bicubic
from monai_sr.report.figures import comparison_figure, save_figure
from monai_sr.sample import sample_series_dir


def main() -> None:
    """Upscale the sample series by the command that a user would give, then draw its middle slice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="folder for the series and the picture")
    parser.add_argument("--bundle", default="edsr_mri")
    parser.add_argument("--scale-factor", type=int, default=2)
    arguments = parser.parse_args()
    source, derived = sample_series_dir(), arguments.output / "derived"
    command = [
        *(sys.executable, "-m", "monai_sr", "upscale", str(source), str(derived), "--overwrite"),
        *("--bundle", arguments.bundle, "--scale-factor", str(arguments.scale_factor)),
    ]
    print("monai-sr", *command[3:], flush=True)
    subprocess.run(command, check=True)
    before, after = read_volume(source), read_volume(derived)
    middle = len(before.array) // 2
    low, finer = before.array[middle], after.array[middle]
    picture = arguments.output / "comparison.png"
    enlarged = bicubic(low[None].astype(float), arguments.scale_factor)[0]
    # The magnified part lies inside the head: the template's own edge is a cut, sharper than any scan's.
    rows, columns = finer.shape
    inset = (rows * 3 // 8, columns * 3 // 8, rows // 4, columns // 4)
    save_figure(comparison_figure(low, enlarged, finer, inset=inset), picture)
    print(f"Derived series: {derived} ({len(after.array)} instances of {rows} x {columns} pixels)")
    print(f"Picture: {picture}")


if __name__ == "__main__":
    main()
