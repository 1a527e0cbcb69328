"""The commands that train, evaluate and infer, made small enough for a test."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

from monai_sr.bundle import Bundle

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = ROOT / "bundles"
NAMES = sorted(path.name for path in BUNDLES.iterdir() if (path / "configs").is_dir())
RELEASED = [name for name in NAMES if Bundle(BUNDLES / name).scale_factors]

# One real epoch in seconds: the sample's images, a network small enough.
SMALL = {
    "max_epochs": "1",
    "iterations_per_epoch": "2",
    "volumes_per_batch": "2",
    "crops_per_volume": "1",
    "patch_size": "16",
    "slices_per_volume": "1",
    "network_def::num_blocks": "1",
    "network_def::channels": "8",
}
SMALL_GAN = {"discriminator_def::channels": "4"}


def is_adversarial(bundle: Path) -> bool:
    return "srgan" in bundle.name


def small_options(bundle: Path, **more: object) -> list[str]:
    settings = SMALL | (SMALL_GAN if is_adversarial(bundle) else {})
    settings |= {key: str(value) for key, value in more.items()}
    return [text for key, value in settings.items() for text in (f"--{key}", value)]


def training_command(config: str, options: list[str]) -> list[str]:
    return [sys.executable, "-m", "monai.bundle", "run", "training", "--config_file", config, *options]


def run(command: list[str], cwd: Path) -> str:
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def rows(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
