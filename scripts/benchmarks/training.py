"""Time training iterations of a bundle against a plain PyTorch loop of the same network, in one run.

Both train on the embedded sample with the same batches in number and size, by Adam and the bundle's loss. The
plain loop is what one would write first: float32, images in memory, random crops, bicubic degradation. The
bundle does its own reading, augmentation, degradation and noise. The first iterations of each do not count.
"""

from __future__ import annotations

import argparse
import copy
import json
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

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
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


def main() -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="edsr_mri", help="one that trains in one stage")
    parser.add_argument("--iterations", type=int, default=40)
    arguments = parser.parse_args()
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
    found = {
        "bundle": arguments.bundle,
        "precision": precision,
        "iterations_per_second": round(ours, 3),
        "plain_iterations_per_second": round(plain, 3),
        "ratio": round(ours / plain, 2),
        "loss": round(our_loss, 5),
        "plain_loss": round(plain_loss, 5),
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
