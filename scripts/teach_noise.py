"""Teach released networks to enlarge noise as an interpolation would, so that faint lesions in it stay.

A network that never saw noise sharpens some of it and smooths the rest, and a lesion as faint as the noise
with it. So each is trained on a little longer: white noise is added to the low-resolution slice, and the
same noise, enlarged by Lanczos interpolation, to what the network is to make of it. That is the original
where the network was trained by a pixel loss; where it was trained adversarially, what it made of the slice
without noise, so that its texture stays; where that alone hides lesions, its weights are mixed with those of
the pixel stage. Weights, losses and settings go into the bundle. It begins with
the weights that the bundle holds: those of `train_released_weights.py`.
"""

from __future__ import annotations

import argparse
import copy
import csv
import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.utils import set_determinism

from monai_sr.bundle import Bundle, weights_file
from monai_sr.evaluate import BASELINES
from monai_sr.weights import Weights, blend, read_weights
from scripts.train_released_weights import BUNDLES, RELEASES, agreement, half_precision

Batches = Iterable[dict[str, torch.Tensor]]

NOISE = 0.04
"""Most of its standard deviation, of intensities normalised to about [0, 1]; drawn evenly from 0."""

LOGGED = 50


@dataclass(frozen=True)
class Lesson:
    """How one stage of a release is taught.

    Args:
        iterations: how many.
        learning_rate: Adam's at first; it falls by a cosine.
        share: of the crops, that get noise; in the others the network sees a clean slice.
        crops: of each volume of a batch.
        mixture: share of the taught weights in what is released; the rest are those of the pixel stage.
        seed: of crops and noise.
    """

    iterations: int
    learning_rate: float
    share: float
    crops: int = 2
    mixture: float = 1.0
    seed: int = 0


# Bundle and scale -> stage -> how it is taught. Only those are that hid lesions in noise.
LESSONS: dict[str, dict[str, Lesson]] = {
    release: {stage: Lesson(**settings) for stage, settings in stages.items()}
    for release, stages in json.loads(Path(__file__).with_suffix(".json").read_text("utf-8")).items()
}


def teach(network: torch.nn.Module, batches: Batches, scale: int, own: bool, lesson: Lesson) -> list[float]:
    """Train a network on, in bfloat16, by the mean absolute error.

    Args:
        network: changed in place; its batch normalisations keep their statistics.
        batches: `image`, shape (B, 1, h, w), and `label`, shape (B, 1, h·s, w·s), about [0, 1]; at least one
            an iteration.
        scale: scale factor.
        own: whether it is to keep its output of the clean slice, rather than to come near the label.
        lesson: how.

    Returns:
        The mean loss of every `LOGGED` iterations.
    """
    before = copy.deepcopy(network).eval()
    network.eval()
    optimizer = torch.optim.Adam(network.parameters(), lesson.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, lesson.iterations, 1e-6)
    losses: list[float] = []
    for _, batch in zip(range(lesson.iterations), batches, strict=False):
        low, wanted = (torch.as_tensor(batch[key]).float() for key in ("image", "label"))
        strength = NOISE * torch.rand(len(low), 1, 1, 1) * (torch.rand(len(low), 1, 1, 1) < lesson.share)
        noise = strength * torch.randn_like(low)
        with torch.autocast("cpu", torch.bfloat16):
            if own:
                with torch.no_grad():
                    wanted = before(low).float()
            made = network((low + noise).contiguous(memory_format=torch.channels_last)).float()
        enlarged = torch.from_numpy(BASELINES["lanczos"](noise[:, 0].numpy(), scale))[:, None]
        loss = (made - wanted - enlarged).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
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
        "crops_per_volume": lesson.crops,
        **{key: value for key, value in last.items() if key.startswith(data)},
    }.items():
        parser[key] = value
    loader: Batches = parser.get_parsed_content("train::dataloader")
    return loader


def release(bundle: Bundle, scale: int, stage: str, lesson: Lesson, datalist: Path) -> None:
    """Teach one stage of a bundle at one scale, and write what came of it into the bundle.

    Args:
        bundle: with weights for that scale.
        scale: scale factor.
        stage: `pixel`, the first of two, or `final`.
        lesson: how.
        datalist: datalist JSON.
    """
    adversarial = stage == "final" and weights_file(bundle.root, scale, "pixel").is_file()
    target = weights_file(bundle.root, scale, "pixel" if stage == "pixel" else "")
    begun = read_weights(target)
    network, released = (bundle.network(scale) for _ in range(2))
    begun.load_into(network.to(memory_format=torch.channels_last))
    set_determinism(lesson.seed)
    batches = training_batches(bundle, scale, datalist, lesson)
    losses = teach(network, batches, scale, adversarial, lesson)
    taught = Weights({key: value.contiguous() for key, value in network.state_dict().items()}, "", "taught")
    if lesson.mixture < 1:
        pixel = read_weights(weights_file(bundle.root, scale, "pixel"))
        taught = blend([pixel, taught], [1 - lesson.mixture, lesson.mixture])
        taught.load_into(network)
    half = half_precision(taught.state)
    released.load_state_dict(half)
    fidelity = agreement(network, released, datalist)
    torch.save(half, target)
    with (bundle.root / "docs" / f"{stage}_noise_x{scale}.csv").open(
        "w", newline="", encoding="utf-8"
    ) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["iteration", "loss"])
        rows.writerows([(number + 1) * LOGGED, f"{loss:.5f}"] for number, loss in enumerate(losses))
    keep(
        bundle,
        scale,
        stage,
        lesson,
        (begun.sha256, hashlib.sha256(target.read_bytes()).hexdigest()),
        fidelity,
    )
    print(bundle.name, f"x{scale}", stage, [round(loss, 5) for loss in losses], flush=True)


def keep(
    bundle: Bundle, scale: int, stage: str, lesson: Lesson, hashes: tuple[str, str], fidelity: float
) -> None:
    """Write into the record of a training how it was gone on with.

    Args:
        bundle: the one.
        scale: scale factor.
        stage: that was taught.
        lesson: how.
        hashes: SHA-256 of the weights that it began with, and of the released ones.
        fidelity: of the half-precision weights to those of training, PSNR in dB.
    """
    file = bundle.root / "docs" / f"training_x{scale}.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    record["half_precision_psnr"][stage] = fidelity
    settings = asdict(lesson) | {"greatest": NOISE, "begun_with_sha256": hashes[0], "sha256": hashes[1]}
    record["noise"] = record.get("noise", {}) | {stage: settings}
    file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


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
        for stage, lesson in LESSONS[name].items():
            release(Bundle(BUNDLES / bundle), int(scale), stage, lesson, Path(datalists[modality]).resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
