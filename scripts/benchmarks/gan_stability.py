"""Train SRGAN and its Wasserstein variant for 500 iterations on the embedded sample, and keep their curves.

Fails if a loss is not finite, the collapse alarm sounds, or the image is lost: validation PSNR more than 3 dB
below what the pixel stage left.
"""

from __future__ import annotations

import argparse
import csv
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from monai_sr.report import save_figure, training_figure

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "bundles" / "srgan_mri"
TRAININGS = {"SRGAN": ["train.json"], "WGAN-GP": ["train.json", "wgan_gp.json"]}
EPOCHS, ITERATIONS = 10, 50
# Smaller than the bundle's own, so that two cores do it in minutes: patches of 48 pixels, 8 in a batch.
SETTINGS = {
    "scale_factor": 2,
    "patch_size": 24,
    "pretrain_epochs": 2,
    "max_epochs": EPOCHS,
    "iterations_per_epoch": ITERATIONS,
    "discriminator_def::channels": 16,
    # The collapse alarm, which only warns by default.
    "train::handlers::7::stop": True,
}
SHOWN = (
    *("loss", "g_pixel", "g_adversarial", "g_grad_norm"),
    *("d_loss", "d_grad_norm", "val_psnr", "val_spectrum_error"),
)
LARGEST_LOSS = 3.0  # dB
Log = list[dict[str, float]]


def train(configs: list[str], folder: Path) -> None:
    """Train, to the end or to the first alarm.

    Args:
        configs: names of the bundle's configurations.
        folder: of the run.

    Raises:
        subprocess.CalledProcessError: if the training stops with an error, or at the collapse alarm.
    """
    files = str([str(BUNDLE / "configs" / name) for name in configs])
    settings = {**SETTINGS, "output_dir": folder}
    options = [text for key, value in settings.items() for text in (f"--{key}", str(value))]
    command = [sys.executable, "-m", "monai.bundle", "run", "training", "--config_file", files, *options]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def read_log(path: Path) -> Log:
    """Rows of a run's metrics.csv."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: float(value or "nan") for key, value in row.items()} for row in csv.DictReader(file)]


def faults(name: str, log: Log, pixel: Log) -> list[str]:
    """What went wrong in a training.

    Args:
        name: of the training.
        log: rows of its adversarial stage.
        pixel: rows of its pixel stage.

    Returns:
        One sentence a fault.
    """
    found = []
    if len(log) != EPOCHS or not all(math.isfinite(value) for row in log for value in row.values()):
        found.append(f"{name}: a value is missing or not finite")
    lost = max(row["val_psnr"] for row in pixel) - log[-1]["val_psnr"]
    if not lost <= LARGEST_LOSS:
        found.append(f"{name}: lost {lost:.1f} dB of validation PSNR")
    return found


def main() -> int:
    """Train both, write the logs and their curves into the bundle's docs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=BUNDLE / "docs", help="folder of logs and figure")
    output = parser.parse_args().output
    curves, found = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name, configs in TRAININGS.items():
            run = Path(folder) / name
            train(configs, run)
            log = read_log(run / "metrics.csv")
            found += faults(name, log, read_log(run / "pixel" / "metrics.csv"))
            curves[name] = {key: [row[key] for row in log] for key in SHOWN}
            shutil.copyfile(run / "metrics.csv", output / f"stability_{name.lower().replace('-', '_')}.csv")
            print(name, f"{EPOCHS * ITERATIONS} iterations:", log[-1], flush=True)
    save_figure(training_figure(curves), output / "stability.png")
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
