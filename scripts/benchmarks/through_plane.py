"""How much better than a cubic B-spline `--through-plane` finds the slices between, on isotropic volumes.

What is found goes into through_plane.json, beside this script, and the documentation's page.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
import torch

from monai_sr.data import load_part
from monai_sr.geometry import scale_slices
from monai_sr.intensity import IntensityRange
from monai_sr.io import read_volume
from monai_sr.through_plane import ThroughPlane
from monai_sr.through_plane.grid import PROFILES, SliceGrid
from monai_sr.through_plane.restoration import Restoration
from monai_sr.through_plane.through_plane import WEIGHTS
from monai_sr.volume import Volume
from scripts.benchmarks.pages import with_results

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = Path(__file__).with_suffix(".json")
PAGE = ROOT / "docs" / "howto" / "through_plane.md"
HEADER = (
    "| truth | patients | images | slice factor | slice profile | B-spline (dB) | gain (dB) "
    "| gain, self-supervised (dB) |",
    "|---|---|---|---|---|---|---|---|",
)
Row = dict[str, Any]

FACTORS = (3, 4)
MULTIPLE = 12
ISOTROPIC = 1.1

CONVENTIONS = (
    "truth: isotropic volumes (spacings within 10 %), axial slices, their number cut to a multiple of 12",
    "slices: the truth seen by the slice profile, as thick as slices are apart (box: the mean of 3 or 4 "
    "slices; gaussian: FWHM of 3 or 4 slices), about the centre of the field of view, rounded to integers",
    "bspline: cubic B-spline, SimpleITK's, same field of view",
    "PSNR: of the whole volume, data range from its least to its greatest value, results clipped to it",
    "planes: sharp planes of other volumes, whose rows were made slices of, restored in that one orientation",
)


def axial(volume: Volume) -> Volume:
    """The volume with axial slices as frames, real values in float32, their number a multiple."""
    directions = np.abs(volume.affine[:3, :3] / volume.spacing)
    frame = int(directions[2].argmax())
    row, column = (axis for axis in range(3) if axis != frame)
    real = np.stack([volume.real_frame(index) for index in range(len(volume.array))]).astype(np.float32)
    moved = real.transpose(1, 2, 0).transpose(frame, row, column)
    count = len(moved) // MULTIPLE * MULTIPLE
    first = (len(moved) - count) // 2
    affine = volume.affine[:, [row, column, frame, 3]].copy()
    affine[:3, 3] += first * affine[:3, 2]
    return replace(
        volume,
        array=np.ascontiguousarray(moved[first : first + count]),
        affine=affine,
        slope=np.ones(count),
        intercept=np.zeros(count),
        stored_range=(-np.inf, np.inf),
        padding=None,
    )


def decimated(truth: Volume, factor: int, profile: str) -> Volume:
    """What thick slices show of a volume."""
    count = len(truth.array) // factor
    grid = SliceGrid(count, len(truth.array), 1.0, profile)
    array = np.tensordot(grid.degradation, np.asarray(truth.array), 1).round().astype(np.float32)
    affine = scale_slices(truth.affine, 1 / factor)
    return replace(truth, array=array, affine=affine, slope=np.ones(count), intercept=np.zeros(count))


def bspline(slices: np.ndarray, factor: int) -> np.ndarray:
    """Cubic B-spline across slices, shape (n, H, W) to (n factor, H, W)."""
    count, rows, columns = slices.shape
    grid = SimpleITK.Image(columns, rows, count * factor, SimpleITK.sitkFloat32)
    grid.SetSpacing((1.0, 1.0, 1 / factor))
    grid.SetOrigin((0.0, 0.0, (1 / factor - 1) / 2))
    image = SimpleITK.GetImageFromArray(slices)
    return SimpleITK.GetArrayFromImage(
        SimpleITK.Resample(image, grid, SimpleITK.Transform(), SimpleITK.sitkBSpline)
    )


def psnr(result: np.ndarray, truth: np.ndarray) -> float:
    """In dB, by the range of the truth."""
    least, greatest = float(truth.min()), float(truth.max())
    difference = np.square(result.clip(least, greatest) - truth, dtype=np.float64).mean()
    return float(10 * np.log10((greatest - least) ** 2 / difference))


def volumes(truth: Volume, profiles: list[str], own: bool) -> Iterator[Row]:
    """A row of scores for each factor and profile."""
    for factor in FACTORS:
        for profile in profiles:
            low = decimated(truth, factor, profile)
            slices, whole = np.asarray(low.array), np.asarray(truth.array)
            smooth = np.tensordot(SliceGrid(len(slices), len(whole), 1.0, profile).interpolation, slices, 1)
            scores = {"bspline": bspline(slices, factor), "smoothest": smooth}
            seconds = {}
            for name in ("through-plane", "self-supervised")[: 1 + own]:
                start = time.perf_counter()
                through = ThroughPlane.released(profile, name == "self-supervised", memory=2**36)
                scores[name] = np.asarray(through(low, slice_factor=factor).array)
                seconds[name] = round(time.perf_counter() - start, 1)
            psnrs = {name: round(psnr(result, whole), 2) for name, result in scores.items()}
            yield {"factor": factor, "profile": profile, "psnr": psnrs, "seconds": seconds}


def planes(volume: Volume) -> Iterator[Row]:
    """A row of scores for each factor, of the planes alone."""
    array = np.stack([volume.real_frame(index) for index in range(len(volume.array))]).astype(np.float32)
    array = array[:, : array.shape[1] // MULTIPLE * MULTIPLE]
    intensities = IntensityRange.from_array(array)
    network = ThroughPlane.released().network
    for factor in FACTORS:
        grid = SliceGrid(array.shape[1] // factor, array.shape[1])
        low = (grid.degradation.astype(np.float32) @ array).round()
        spline = bspline(np.ascontiguousarray(low.swapaxes(0, 1)), factor).swapaxes(0, 1)
        restore = Restoration(network, grid)
        with torch.inference_mode():
            normal = torch.from_numpy(intensities.normalize(low).astype(np.float32))[:, None]
            finer = torch.cat([restore(part) for part in normal.split(4)])[:, 0].numpy()
        found = {"bspline": spline, "through-plane": intensities.restore(finer)}
        psnrs = {name: round(psnr(result, array), 2) for name, result in found.items()}
        yield {"factor": factor, "profile": "box", "psnr": psnrs}


def table(rows: list[Row]) -> str:
    """Markdown: a line for what was left out of the training in the same way, sampled alike."""
    lines = list(HEADER)
    kinds = dict.fromkeys((row["kind"], row["part"], row["factor"], row["profile"]) for row in rows)
    for kind, part, factor, profile in kinds:
        alike = (kind, part, factor, profile)
        own = [row for row in rows if (row["kind"], row["part"], row["factor"], row["profile"]) == alike]
        spline = np.mean([row["psnr"]["bspline"] for row in own])
        gains = " | ".join(_gain(own, name) for name in ("through-plane", "self-supervised"))
        lines.append(f"| {kind} | {part} | {len(own)} | {factor} | {profile} | {spline:.2f} | {gains} |")
    return "\n".join(lines)


def _gain(rows: list[Row], name: str) -> str:
    gains = [row["psnr"][name] - row["psnr"]["bspline"] for row in rows if name in row["psnr"]]
    if not gains:
        return "not measured"
    return f"{np.mean(gains):+.2f}" + f" ({min(gains):+.2f} to {max(gains):+.2f})" * (len(gains) > 1)


def text(kept: dict[str, Any]) -> str:
    """The page with the numbers in place."""
    said = "\n".join(f"- {line}" for line in kept["conventions"])
    results = f"{table(kept['rows'])}\n\n{said}"
    return with_results(PAGE, "scripts/benchmarks/through_plane.py", results)


def check(kept: dict[str, Any]) -> list[str]:
    """What in the checkout does not follow from the kept numbers."""
    faults = []
    if text(kept) != PAGE.read_text(encoding="utf-8"):
        faults.append(f"{PAGE.relative_to(ROOT)} does not show the numbers of {NUMBERS.name}")
    if hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() != kept["weights_sha256"]:
        faults.append(f"{WEIGHTS.relative_to(ROOT)} is not what {NUMBERS.name} was measured with")
    return faults


def main() -> int:
    """Measure, keep the numbers and write the page; or with `--check` compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datalist", type=Path, help="of `monai-sr split`; its test part is scored")
    parser.add_argument(
        "--left-out", nargs="*", default=[], metavar="PATIENT", help="of the training part, scored too"
    )
    parser.add_argument("--self-supervised", action="store_true", help="score that too, which takes long")
    parser.add_argument("--profiles", nargs="*", choices=PROFILES, default=list(PROFILES))
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if the page is stale")
    arguments = parser.parse_args()
    if arguments.check:
        faults = check(json.loads(NUMBERS.read_text(encoding="utf-8")))
        print(*faults, sep="\n", end="\n" if faults else "")
        return bool(faults)
    if arguments.datalist is None:
        parser.error("--datalist is needed to measure")
    test, training = (load_part(arguments.datalist, part) for part in ("test", "training"))
    entries = [("test", entry) for entry in test]
    entries += [("left out", entry) for entry in training if entry["patient"] in arguments.left_out]
    rows: list[Row] = []
    for part, entry in entries:
        volume = read_volume(entry["label"])
        isotropic = max(volume.spacing) <= ISOTROPIC * min(volume.spacing)
        found = (
            volumes(axial(volume), arguments.profiles, arguments.self_supervised)
            if isotropic
            else planes(volume)
        )
        for row in found:
            rows.append({"kind": "volume" if isotropic else "planes", "part": part, **row})
            print(json.dumps(rows[-1]), flush=True)
    sha256 = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    kept = {"weights_sha256": sha256, "conventions": CONVENTIONS, "rows": rows}
    NUMBERS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(text(kept), encoding="utf-8")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
