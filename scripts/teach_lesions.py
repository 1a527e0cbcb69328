"""Teach released networks to leave faint lesions as detectable as they came.

A network that never saw noise sharpens some of it and smooths the rest, and a lesion as faint as the noise
with it. So it is trained on a little longer: a pixel model to the high-resolution slice, an adversarial stage
to what it made of the slice before, so that its texture stays. What it is taught is either of two, or both.
Lesions: `LesionLoss` is added. Noise: white noise is added to the low-resolution slice, and the same noise,
enlarged by Lanczos interpolation, to what the network is held to. Where that alone hides lesions, an
adversarial stage is mixed with its pixel stage. Weights, losses and settings go into the bundle. It begins
with the weights that the bundle holds: those of `train_released_weights.py`.
"""

from __future__ import annotations

import argparse
import copy
import csv
import hashlib
import json
import math
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.utils import set_determinism

from monai_sr.bundle import Bundle, weights_file
from monai_sr.evaluate import BASELINES, make_degradation
from monai_sr.weights import Weights, blend, read_weights
from scripts.lesion_loss import LesionLoss
from scripts.train_released_weights import BUNDLES, RELEASES, agreement, half_precision

Batches = Iterable[dict[str, torch.Tensor]]

NOISE = 0.04
"""Most of its standard deviation, of intensities normalised to about [0, 1]; drawn evenly from 0."""

LOGGED = 50


@dataclass(frozen=True)
class Lesson:
    """How a release is taught.

    Args:
        iterations: how many.
        learning_rate: Adam's at first; it falls by a cosine.
        share: of the crops, that get noise; in the others the network sees a clean slice.
        lesions: weight of the `LesionLoss` beside the mean absolute error.
        mixture: share of the taught weights in what is released; the rest are those of the pixel stage, or
            of a network without one those it began with.
        seed: of crops, noise and lesions.
    """

    iterations: int
    learning_rate: float
    share: float = 0.0
    lesions: float = 0.0
    mixture: float = 1.0
    seed: int = 0


# Bundle and scale -> how it is taught. Only those are that hid lesions.
LESSONS: dict[str, Lesson] = {
    release: Lesson(**settings)
    for release, settings in json.loads(Path(__file__).with_suffix(".json").read_text("utf-8")).items()
}


def teach(
    network: torch.nn.Module, batches: Batches, lesson: Lesson, lesions: LesionLoss, *, adversarial: bool
) -> list[float]:
    """Train a network on, in bfloat16, by the mean absolute error.

    Args:
        network: changed in place; its batch normalisations keep their statistics.
        batches: `image`, shape (B, 1, h, w), about [0, 1], and `label`, (B, 1, scale·h, scale·w), unless the
            stage is adversarial; at least one an iteration.
        lesson: how.
        lesions: what is added, in float32, if the lesson gives it a weight; it knows the scale factor.
        adversarial: whether it is held to what it made of `image` before, instead of to `label`.

    Returns:
        The mean loss of every `LOGGED` iterations.

    Raises:
        ValueError: if there are fewer batches than iterations, or a loss is not a number.
    """
    before = copy.deepcopy(network).eval()
    network.eval()
    optimizer = torch.optim.Adam(network.parameters(), lesson.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, lesson.iterations, 1e-6)
    losses: list[float] = []
    for batch in islice(batches, lesson.iterations):
        low = torch.as_tensor(batch["image"]).float()
        strength = NOISE * torch.rand(len(low), 1, 1, 1) * (torch.rand(len(low), 1, 1, 1) < lesson.share)
        noise = strength * torch.randn_like(low)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                clean = before(low).float() if adversarial else torch.as_tensor(batch["label"]).float()
            made = network((low + noise).contiguous(memory_format=torch.channels_last)).float()
        enlarged = torch.from_numpy(BASELINES["lanczos"](noise[:, 0].numpy(), lesions.scale))[:, None]
        loss = (made - clean - enlarged).abs().mean()
        if lesson.lesions:
            loss = loss + lesson.lesions * lesions(network, low)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise ValueError(f"The loss of iteration {len(losses)} is not a number: lower the learning rate.")
    if len(losses) < lesson.iterations:
        raise ValueError(f"{lesson.iterations} iterations need as many batches, got {len(losses)}.")
    return [float(np.mean(losses[first : first + LOGGED])) for first in range(0, len(losses), LOGGED)]


def training_batches(bundle: Bundle, scale: int, datalist: Path, lesson: Lesson) -> Batches:
    """What the release was trained on: crops of training patients, degraded at random."""
    parser = ConfigParser()
    parser.read_config(str(bundle.root / "configs" / "train.json"))
    last = RELEASES[f"{bundle.name}_x{scale}"][-1]
    data = ("degrade_random", "augment", "patch_size")
    for key, value in {
        "scale_factor": scale,
        "datalist": str(datalist),
        "dataset_dir": str(datalist.parent),
        "iterations_per_epoch": lesson.iterations,
        **{key: value for key, value in last.items() if key.startswith(data)},
    }.items():
        parser[key] = value
    loader: Batches = parser.get_parsed_content("train::dataloader")
    return loader


def release(bundle: Bundle, scale: int, lesson: Lesson, datalist: Path) -> None:
    """Teach the last stage of a bundle at one scale, and write what came of it into the bundle.

    Args:
        bundle: with weights for that scale.
        scale: scale factor.
        lesson: how.
        datalist: datalist JSON.
    """
    target = weights_file(bundle.root, scale)
    pixel = weights_file(bundle.root, scale, "pixel")
    adversarial = pixel.is_file()
    begun = read_weights(target)
    network, released = (bundle.network(scale) for _ in range(2))
    begun.load_into(network.to(memory_format=torch.channels_last))
    set_determinism(lesson.seed)
    batches = training_batches(bundle, scale, datalist, lesson)
    degradation = make_degradation(bundle.card["degradation_kernel"], scale)
    lesions = LesionLoss(degradation, scale, lesson.seed)
    losses = teach(network, batches, lesson, lesions, adversarial=adversarial)
    taught = Weights({key: value.contiguous() for key, value in network.state_dict().items()}, "", "taught")
    rest = read_weights(pixel) if adversarial else begun
    mixed = blend([rest, taught], [1 - lesson.mixture, lesson.mixture])
    mixed.load_into(network)
    half = half_precision(mixed.state)
    released.load_state_dict(half)
    fidelity = agreement(network, released, datalist)
    torch.save(half, target)
    docs = bundle.root / "docs"
    with (docs / f"lesson_x{scale}.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["iteration", "loss"])
        rows.writerows([(number + 1) * LOGGED, f"{loss:.5f}"] for number, loss in enumerate(losses))
    record = json.loads((docs / f"training_x{scale}.json").read_text(encoding="utf-8"))
    record["half_precision_psnr"]["final"] = fidelity
    record["lesson"] = asdict(lesson) | {
        "greatest_noise": NOISE,
        "begun_with_sha256": begun.sha256,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }
    (docs / f"training_x{scale}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(bundle.name, f"x{scale}", [round(loss, 5) for loss in losses], flush=True)


def main() -> int:
    """Teach the releases that have lessons, whose untaught weights the bundles hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datalists", nargs="+", required=True, metavar="MODALITY=FILE")
    parser.add_argument(
        "--only", nargs="+", choices=sorted(LESSONS), default=list(LESSONS), metavar="RELEASE"
    )
    arguments = parser.parse_args()
    datalists = dict(entry.split("=", 1) for entry in arguments.datalists)
    for name in arguments.only:
        bundle, scale = name.rsplit("_x", 1)
        modality = bundle.rpartition("_")[2]
        if modality not in datalists:
            parser.error(f"--datalists {modality}=FILE is needed to teach {name}")
        release(Bundle(BUNDLES / bundle), int(scale), LESSONS[name], Path(datalists[modality]).resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
