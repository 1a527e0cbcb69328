"""Train the weights that the bundles release, from a folder of images and its patient-level manifest."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
# Bundle and scale -> what differs from the bundle's own configuration.
RELEASES: dict[str, dict[str, Any]] = {
    "edsr_mri_x2": {"max_epochs": 30, "val_interval": 2},
    "edsr_mri_x4": {"max_epochs": 20, "val_interval": 2, "patch_size": 32, "initial_trunk": "edsr_mri_x2"},
    "srgan_mri_x4": {"pretrain_epochs": 5, "max_epochs": 3, "val_interval": 1},
    "srgan_mri_x2": {
        "pretrain_epochs": 2,
        "max_epochs": 1,
        "patch_size": 24,
        "val_interval": 1,
        "initial_trunk": "srgan_mri_x4/pixel",
    },
}
GAN_SETTINGS: dict[str, Any] = {
    "vgg_layer": "relu2_2",
    "feature_weight": 0.02,
    "adversarial_weight": 0.002,
    "discriminator_def::channels": 32,
    # Runs of a few hundred iterations: the average and the ramp have to be shorter than they.
    "ema::decay": 0.99,
    "train::trainer::adversarial_ramp": 100,
}


def command(release: str, arguments: argparse.Namespace) -> list[str]:
    """Command line that trains one release.

    Args:
        release: a name of `RELEASES`, bundle and scale.
        arguments: of this script.

    Returns:
        Program and arguments.
    """
    bundle, scale = release.rsplit("_x", 1)
    settings = {"scale_factor": scale, **RELEASES[release]}
    if bundle.startswith("srgan"):
        settings |= {**GAN_SETTINGS, "vgg_weights": arguments.vgg_weights}
    if "initial_trunk" in settings:
        settings["initial_trunk"] = arguments.runs / settings["initial_trunk"] / "model.pt"
    settings |= {
        "datalist": arguments.datalist,
        "dataset_dir": arguments.datalist.parent,
        "output_dir": arguments.runs / release,
        "resume": arguments.resume,
    }
    config = BUNDLES / bundle / "configs" / "train.json"
    options = [text for key, value in settings.items() for text in (f"--{key}", str(value))]
    return [sys.executable, "-m", "monai.bundle", "run", "training", "--config_file", str(config), *options]


def release_weights(release: str, runs: Path) -> None:
    """Copy what a run made into its bundle: weights, and the log of each stage.

    Args:
        release: a name of `RELEASES`.
        runs: folder of the runs.
    """
    bundle, scale = release.rsplit("_x", 1)
    run, root = runs / release, BUNDLES / bundle
    suffix = "" if scale == "2" else f"_x{scale}"
    stages = {"": run, "pixel_": run / "pixel"} if (run / "pixel").is_dir() else {"": run}
    for stage, folder in stages.items():
        state = torch.load(folder / "model.pt", map_location="cpu", weights_only=True)
        target = root / "models" / f"{stage}model{suffix}.pt"
        target.parent.mkdir(exist_ok=True)
        torch.save(state, target)
        shutil.copyfile(folder / "metrics.csv", root / "docs" / f"{stage}training_x{scale}.csv")


def main() -> None:
    """Train, then put weights and logs into the bundles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datalist", type=Path, required=True, help="datalist JSON made by `monai-sr split`")
    parser.add_argument("--vgg-weights", default="published", help="VGG19 weights: a file, or 'published'")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument(
        "--only", choices=RELEASES, nargs="+", default=list(RELEASES), help="releases to train"
    )
    parser.add_argument("--resume", action="store_true", help="go on with runs that were stopped")
    arguments = parser.parse_args()
    for release in arguments.only:
        line = command(release, arguments)
        print(" ".join(line), flush=True)
        subprocess.run(line, check=True)
        release_weights(release, arguments.runs)


if __name__ == "__main__":
    main()
