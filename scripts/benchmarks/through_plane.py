"""How much better than a cubic B-spline `--through-plane` finds the slices between, on isotropic volumes."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

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
from monai_sr.volume import Volume

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


def volumes(truth: Volume, profiles: list[str], own: bool) -> Iterator[dict[str, object]]:
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


def planes(volume: Volume) -> Iterator[dict[str, object]]:
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


def table(rows: list[dict[str, object]]) -> str:
    """Markdown, gains on the B-spline in parentheses."""
    names = list(dict.fromkeys(name for row in rows for name in row["psnr"]))  # type: ignore[attr-defined]
    lines = ["| volume | factor | profile | " + " | ".join(names) + " |", "|---" * (len(names) + 3) + "|"]
    for row in rows:
        scores: dict[str, float] = row["psnr"]  # type: ignore[assignment]
        base = scores["bspline"]
        cells = [
            f"{scores[name]:.2f}" + f" ({scores[name] - base:+.2f})" * (name != "bspline")
            if name in scores
            else ""
            for name in names
        ]
        lines.append(f"| {row['volume']} | {row['factor']} | {row['profile']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Score the test part and print the tables, and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datalist", type=Path, help="of `monai-sr split`; its test part is scored")
    parser.add_argument(
        "--left-out", nargs="*", default=[], metavar="PATIENT", help="of the training part, scored too"
    )
    parser.add_argument("--self-supervised", action="store_true", help="score that too, which takes long")
    parser.add_argument("--profiles", nargs="*", choices=PROFILES, default=list(PROFILES))
    parser.add_argument("--json", type=Path, help="file for the scores")
    arguments = parser.parse_args()
    entries = load_part(arguments.datalist, "test")
    entries += [
        entry for entry in load_part(arguments.datalist, "training") if entry["patient"] in arguments.left_out
    ]
    found: dict[str, list[dict[str, object]]] = {"volumes": [], "planes": []}
    for entry in entries:
        volume = read_volume(entry["label"])
        isotropic = max(volume.spacing) <= ISOTROPIC * min(volume.spacing)
        rows = (
            volumes(axial(volume), arguments.profiles, arguments.self_supervised)
            if isotropic
            else planes(volume)
        )
        for row in rows:
            found["volumes" if isotropic else "planes"].append({"volume": Path(entry["label"]).name, **row})
            print(json.dumps(row), flush=True)
    for kind, rows in found.items():
        print(f"\n{kind}, PSNR in dB (gain on the B-spline):\n\n{table(rows)}")
    print("\n" + "\n".join(f"- {line}" for line in CONVENTIONS))
    if arguments.json is not None:
        text = json.dumps({"conventions": CONVENTIONS, **found}, indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
