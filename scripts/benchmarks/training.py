"""Time training iterations of a bundle against a plain PyTorch loop of the same network, in one run.

Both train on the embedded sample with the same batches in number and size, by Adam and the bundle's loss. The
plain loop is what one would write first: float32, images in memory, random crops, bicubic degradation. The
bundle does its own reading, augmentation, degradation and noise. The first iterations of each do not count.
What is found goes into training.json and the documentation's page.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser
from torch import nn

from monai_sr.data import load_part
from monai_sr.intensity import IntensityRange
from monai_sr.io import read_volume
from scripts.benchmarks.pages import ROOT, Results, machine, made_by, table

BUNDLES = ROOT / "bundles"
WARM_UP = 5


def rate(stamps: list[float]) -> float:
    """Iterations per second between the warm-up's end and the last stamp."""
    return (len(stamps) - 1 - WARM_UP) / (stamps[-1] - stamps[WARM_UP])


def with_bundle(parser: ConfigParser) -> tuple[float, float]:
    """Iterations per second of the bundle's trainer, and its last losses' mean."""
    trainer = parser.get_parsed_content("train::trainer")
    stamps, losses = [], []

    @trainer.on(Events.ITERATION_COMPLETED)
    def _note() -> None:
        stamps.append(time.perf_counter())
        losses.append(float(trainer.state.output[0]["loss"]))

    trainer.run()
    return rate(stamps), float(np.mean(losses[len(losses) // 2 :]))


def plainly(parser: ConfigParser, network: nn.Module, iterations: int) -> tuple[float, float]:
    """The same of a plain loop."""
    scale, crop = (parser.get_parsed_content(key) for key in ("scale_factor", "crop_size"))
    batch = parser.get_parsed_content("volumes_per_batch") * parser.get_parsed_content("crops_per_volume")
    loss_function = parser.get_parsed_content("loss")
    optimizer = torch.optim.Adam(network.parameters(), parser.get_parsed_content("learning_rate"))
    volumes = []
    for item in load_part(parser.get_parsed_content("datalist"), "training"):
        array = read_volume(item["label"]).array.astype(np.float64)
        volumes.append(torch.from_numpy(IntensityRange.from_array(array).normalize(array)).float())
    stamps, losses = [], []
    network.train()
    for _ in range(iterations):
        crops = []
        for _ in range(batch):
            volume = volumes[int(torch.randint(len(volumes), ()))]
            frame = volume[int(torch.randint(len(volume), ()))]
            row, column = (int(torch.randint(side - crop + 1, ())) for side in frame.shape)
            crops.append(frame[None, row : row + crop, column : column + crop])
        high = torch.stack(crops)
        low = nn.functional.interpolate(high, scale_factor=1 / scale, mode="bicubic", antialias=True)
        loss = loss_function(network(low), high)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        stamps.append(time.perf_counter())
    return rate(stamps), float(np.mean(losses[len(losses) // 2 :]))


def show(kept: dict[str, Any]) -> str:
    """The table, and what made it."""
    titles = (
        "bundle",
        "precision",
        "iterations/s",
        "plain loop's",
        "ratio",
        "mean loss of the second half",
        "plain loop's",
    )
    row = (
        kept["bundle"],
        kept["precision"],
        f"{kept['iterations_per_second']:.2f}",
        f"{kept['plain_iterations_per_second']:.2f}",
        f"{kept['iterations_per_second'] / kept['plain_iterations_per_second']:.2f}",
        f"{kept['loss']:.5f}",
        f"{kept['plain_loss']:.5f}",
    )
    return f"{table(titles, [row])}\n\n{made_by(kept['command'], kept['machine'])}"


RESULTS = Results(Path(__file__), ROOT / "docs" / "speed.md", show)


def main() -> int:
    """Measure and write, or with `--check` compare what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="edsr_mri", help="one that trains in one stage")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if the page is stale")
    arguments = parser.parse_args()
    if arguments.check:
        return RESULTS.check()
    config = ConfigParser(
        ConfigParser.load_config_file(BUNDLES / arguments.bundle / "configs" / "train.json")
    )
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {
            "bundle_root": str(BUNDLES / arguments.bundle),
            "output_dir": folder,
            "max_epochs": 1,
            "iterations_per_epoch": arguments.iterations,
            "val_interval": 2,
        }
        for key, value in settings.items():
            config[key] = value
        config.parse()
        plain_network = copy.deepcopy(config.get_parsed_content("network_def"))
        ours, our_loss = with_bundle(config)
        plain, plain_loss = plainly(config, plain_network, arguments.iterations)
        precision = config.get_parsed_content("precision")
        device = config.get_parsed_content("device")
    found = {
        "command": " ".join(["python -m scripts.benchmarks.training", *sys.argv[1:]]),
        "machine": machine(device),
        "bundle": arguments.bundle,
        "precision": precision,
        "iterations_per_second": ours,
        "plain_iterations_per_second": plain,
        "loss": our_loss,
        "plain_loss": plain_loss,
    }
    RESULTS.keep(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
