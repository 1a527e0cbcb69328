"""Train the network of `--through-plane` on sharp planes of many patients, and record how that was done."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from monai_sr.data import load_part
from monai_sr.intensity import IntensityRange
from monai_sr.io import read_volume
from monai_sr.networks import SliceInterpolator
from monai_sr.through_plane.grid import SliceGrid
from monai_sr.through_plane.through_plane import RECORD, WEIGHTS
from monai_sr.through_plane.training import SLICES, PatchSampler, train
from monai_sr.weights import read_weights

MAX_PLANES = 64
"""Of one volume in one orientation, evenly spaced, so that no volume outweighs the others."""

SQUARE = 1.1
"""Largest ratio of the spacings of a plane, to each other and to the finest of the volume."""

USUAL_RATIOS = (2, 3, 4, 5, 6)


def sharp_planes(path: Path) -> Iterator[np.ndarray]:
    """Planes of a volume whose pixels are about as small as any of it.

    Args:
        path: an image that `read_volume` reads.

    Yields:
        Planes, intensities about [0, 1].
    """
    volume = read_volume(path)
    array = IntensityRange.from_array(volume.array).normalize(volume.array).astype(np.float32)
    row, column, frame = volume.spacing
    for axis, spacings in ((0, (row, column)), (1, (frame, column)), (2, (frame, row))):
        if max(spacings) <= SQUARE * min(volume.spacing):
            chosen = np.unique(np.linspace(0, array.shape[axis] - 1, MAX_PLANES).round().astype(int))
            yield from np.moveaxis(array, axis, 0)[chosen]


def random_grid(number: int, seed: int) -> SliceGrid:
    """A sampling to train on: the usual ratios half of the time, and two profiles of several widths.

    Args:
        number: of the iteration.
        seed: of the training.

    Returns:
        The sampling of a patch.
    """
    random = np.random.default_rng((seed, number))
    ratio = random.choice(USUAL_RATIOS) if random.random() < 0.5 else 1.5 * (8 / 1.5) ** random.random()
    profile = "box" if random.random() < 0.6 else "gaussian"
    thickness = 1.0 if random.random() < 0.7 else round(random.uniform(0.7, 1.2), 2)
    return SliceGrid(SLICES, round(SLICES * ratio), thickness, profile)


def main() -> None:
    """Read the datalist, train and write the weights with their record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "datalist", type=Path, help="of `monai-sr split`; its training and validation parts are used"
    )
    parser.add_argument(
        "--leave-out", nargs="*", default=[], metavar="PATIENT", help="patients kept for the benchmark"
    )
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--initial", type=Path, help="weights to begin with, of an earlier training")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    used = [
        entry
        for part in ("training", "validation")
        for entry in load_part(arguments.datalist, part)
        if entry["patient"] not in arguments.leave_out
    ]
    planes = [plane for entry in used for plane in sharp_planes(Path(entry["label"]))]
    network = SliceInterpolator()
    before = []
    if arguments.initial is not None:
        read_weights(arguments.initial).load_into(network)
        before = json.loads(arguments.initial.with_name(RECORD.name).read_text(encoding="utf-8"))["trainings"]
    losses: list[float] = []
    log: list[tuple[int, float]] = []

    def note(number: int, loss: float) -> None:
        losses.append(loss)
        if number % 200 == 0 or number == arguments.iterations:
            log.append((number, round(float(np.mean(losses)), 4)))
            print(f"{number} {log[-1][1]}", flush=True)
            losses.clear()

    train(
        network,
        PatchSampler(planes, arguments.seed),
        lambda number: random_grid(number, arguments.seed),
        arguments.iterations,
        arguments.learning_rate,
        on_iteration=note,
    )
    torch.save({name: value.half() for name, value in network.state_dict().items()}, arguments.out)
    record = {
        "weights_sha256": hashlib.sha256(arguments.out.read_bytes()).hexdigest(),
        "patients": sorted({entry["patient"] for entry in used}),
        "left_out": sorted(arguments.leave_out),
        "planes": len(planes),
        "torch": torch.__version__,
        "trainings": [
            *before,
            {
                "iterations": arguments.iterations,
                "learning_rate": arguments.learning_rate,
                "seed": arguments.seed,
                "loss": log,
            },
        ],
    }
    arguments.out.with_name(RECORD.name).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
