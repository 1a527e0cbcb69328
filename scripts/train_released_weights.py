"""Train the weights that the bundles release, from folders of images and their patient-level datalists."""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import CenterSpatialCrop

from monai_sr.bundle import Bundle
from monai_sr.data import load_part
from monai_sr.intensity import IntensityRange
from monai_sr.io import read_volume
from monai_sr.networks import srresnet_from_edsr
from monai_sr.report import save_figure, training_figure

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
Settings = dict[str, Any]

# Bundle and scale -> its runs, one after the other, each from the weights of the one before; a run says what
# differs from the bundle's own configuration. `initial_trunk`, `initial_weights` and, an EDSR for an SRGAN,
# `initial_edsr` name a run of another release, done before.
RELEASES: dict[str, list[Settings]] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))


def output_dir(runs: Path, release: str, number: int) -> Path:
    """Folder of one run of a release, counted from 0."""
    return runs / release / str(number)


def command(release: str, number: int, arguments: argparse.Namespace) -> list[str]:
    """Command line of one run.

    Args:
        release: a name of `RELEASES`, bundle and scale.
        number: index of the run.
        arguments: of this script.

    Returns:
        Program and arguments.
    """
    bundle, scale = release.rsplit("_x", 1)
    modality = bundle.rpartition("_")[2]
    settings = {"scale_factor": scale, **RELEASES[release][number]}
    if number > 0:
        settings["initial_weights"] = begin_with(release, number, arguments)
    for key in ("initial_trunk", "initial_weights"):
        if key in RELEASES[release][number]:
            other, run = settings[key].split("/")
            settings[key] = pixel_weights(output_dir(arguments.runs, other, int(run)))
    if "initial_edsr" in settings:
        settings["initial_weights"] = begin_as_edsr(release, number, arguments)
        del settings["initial_edsr"]
    if bundle.startswith("srgan"):
        settings["vgg_weights"] = arguments.vgg_weights
    if bundle.startswith("swift_srgan"):
        settings["mobilenet_weights"] = arguments.mobilenet_weights
    settings |= {
        "datalist": arguments.datalists[modality],
        "dataset_dir": Path(arguments.datalists[modality]).parent,
        "output_dir": output_dir(arguments.runs, release, number),
        "resume": arguments.resume,
    }
    config = BUNDLES / bundle / "configs" / "train.json"
    options = [text for key, value in settings.items() for text in (f"--{key}", str(value))]
    return [sys.executable, "-m", "monai.bundle", "run", "training", "--config_file", str(config), *options]


def pixel_weights(folder: Path) -> Path:
    """The best weights by a pixel loss of a run: those of its first stage where it has two."""
    stage = folder / "pixel" / "model.pt"
    return stage if stage.is_file() else folder / "model.pt"


def begin_with(release: str, number: int, arguments: argparse.Namespace) -> Path:
    """The best pixel-loss weights of the run before, deepened where this run has more residual blocks."""
    before = pixel_weights(output_dir(arguments.runs, release, number - 1))
    num_blocks = RELEASES[release][number].get("network_def::num_blocks")
    if num_blocks == RELEASES[release][number - 1].get("network_def::num_blocks"):
        return before
    state = torch.load(before, map_location="cpu", weights_only=True)
    target = output_dir(arguments.runs, release, number).with_name(f"{number}_initial.pt")
    torch.save(deepen(state, num_blocks), target)
    return target


def begin_as_edsr(release: str, number: int, arguments: argparse.Namespace) -> Path:
    """The weights of a run of an EDSR, written as an SRResNet's."""
    other, run = RELEASES[release][number]["initial_edsr"].split("/")
    bundle, scale = release.rsplit("_x", 1)
    edsr = Bundle(BUNDLES / other.rpartition("_x")[0]).network(int(scale))
    edsr.load_state_dict(
        torch.load(output_dir(arguments.runs, other, int(run)) / "model.pt", weights_only=True)
    )
    images = middles(arguments.datalists[bundle.rpartition("_")[2]], "training", 48 * int(scale))
    low = torch.nn.functional.adaptive_avg_pool2d(torch.cat(list(images)[:16]), 48)
    target = output_dir(arguments.runs, release, number).with_name(f"{number}_initial.pt")
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(srresnet_from_edsr(edsr, low).state_dict(), target)
    return target


def middles(datalist: Path, part: str, size: int) -> Iterator[torch.Tensor]:
    """The middle of the middle slice of every file of a part of a datalist.

    Args:
        datalist: datalist JSON.
        part: of it.
        size: most pixels of a side.

    Yields:
        Intensities about [0, 1], shape (1, 1, H, W).
    """
    for item in load_part(str(datalist), part):
        array = read_volume(item["label"]).array.astype(np.float64)
        frame = IntensityRange.from_array(array).normalize(array[len(array) // 2])
        yield CenterSpatialCrop(size)(torch.from_numpy(frame.astype(np.float32))[None])[None]


def deepen(state: dict[str, torch.Tensor], num_blocks: int) -> dict[str, torch.Tensor]:
    """Put residual blocks that add nothing yet behind those of an EDSR, whose output stays the same.

    Args:
        state: weights of an EDSR.
        num_blocks: how many blocks it is to have, more than it has.

    Returns:
        Weights of the deeper EDSR.
    """
    last = max(int(key.split(".")[1]) for key in state if key.startswith("body."))
    old, new = f"body.{last}.", f"body.{num_blocks}."
    deeper = {
        new + key.removeprefix(old) if key.startswith(old) else key: value for key, value in state.items()
    }
    torch.manual_seed(0)
    for index in range(last, num_blocks):
        first = torch.nn.Conv2d(*reversed(state["body.0.body.0.weight"].shape[:2]), 3)
        deeper |= {f"body.{index}.body.0.{key}": value for key, value in first.state_dict().items()}
        deeper |= {
            f"body.{index}.body.2.{key}": torch.zeros_like(value) for key, value in first.state_dict().items()
        }
    return deeper


def unfinished(release: str, arguments: argparse.Namespace) -> range:
    """The runs of a release that are still to be done; with `--resume`, from the last that was begun."""
    count = len(RELEASES[release])
    begun = [number for number in range(count) if output_dir(arguments.runs, release, number).is_dir()]
    return range(max(begun, default=0) if arguments.resume else 0, count)


def publish(release: str, arguments: argparse.Namespace) -> None:
    """Copy what the runs made into the bundle: half-precision weights, the log of each epoch, the settings.

    Args:
        release: a name of `RELEASES`.
        arguments: of this script.
    """
    bundle, scale = release.rsplit("_x", 1)
    root, suffix = BUNDLES / bundle, "" if scale == "2" else f"_x{scale}"
    folders = [output_dir(arguments.runs, release, number) for number in range(len(RELEASES[release]))]
    two_stages = (folders[-1] / "pixel").is_dir()
    modality = bundle.rpartition("_")[2]
    fidelity = {}
    for stage, below in (("pixel_", "pixel"), ("", ".")) if two_stages else (("", "."),):
        (root / "models").mkdir(exist_ok=True)
        state = torch.load(folders[-1] / below / "model.pt", map_location="cpu", weights_only=True)
        half = half_precision(state)
        torch.save(half, root / "models" / f"{stage}model{suffix}.pt")
        networks = [Bundle(root).network(int(scale)) for _ in range(2)]
        for network, weights in zip(networks, (state, half), strict=True):
            network.load_state_dict(weights)
        fidelity[stage.strip("_") or "final"] = agreement(*networks, arguments.datalists[modality])
        logs = [folder / below / "metrics.csv" for folder in folders]
        log = root / "docs" / f"{stage}training_x{scale}.csv"
        write_log([part for part in logs if part.is_file()], log)
        save_figure(training_figure(read_curves(log)), log.with_suffix(".png"))
    record = {
        "runs": RELEASES[release],
        "torch": torch.__version__,
        "device": "CPU",
        "half_precision_psnr": fidelity,
    }
    if torch.cuda.is_available():
        record["device"] = torch.cuda.get_device_name()
    (root / "docs" / f"training_x{scale}.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    facts = describe_data(arguments.datalists[modality])
    (root / "docs" / "training_data.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


def half_precision(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights as they are released, at half the size."""
    return {key: value.half() if value.is_floating_point() else value for key, value in state.items()}


@torch.inference_mode()
def agreement(network: torch.nn.Module, other: torch.nn.Module, datalist: Path) -> float:
    """How near two networks' outputs are, on the middle (up to 128 pixels a side) of every validation file.

    Args:
        network: the one.
        other: the other.
        datalist: datalist JSON.

    Returns:
        The least PSNR in dB, of intensities normalised to about [0, 1].
    """
    least = float("inf")
    for image in middles(datalist, "validation", 128):
        error = (network.eval()(image) - other.eval()(image)).square().mean()
        least = min(least, float(-10 * error.log10()))
    return round(least, 1)


def write_log(logs: list[Path], target: Path) -> None:
    """Join the logs of successive runs, with a first column that counts the runs from 1."""
    rows = []
    for number, log in enumerate(logs, start=1):
        with log.open(newline="", encoding="utf-8") as file:
            rows += [{"run": number, **row} for row in csv.DictReader(file)]
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)


def read_curves(log: Path) -> dict[str, dict[str, list[float]]]:
    """What each run of a joined log measured: run -> quantity -> one value an epoch."""
    curves: dict[str, dict[str, list[float]]] = {}
    with log.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            run = curves.setdefault(f"run {row.pop('run')}", {})
            del row["epoch"]
            for name, value in row.items():
                run.setdefault(name, []).append(float(value or "nan"))
    return curves


def describe_data(datalist: Path) -> dict[str, Any]:
    """What a model saw: counts of every part; spacing, types and intensities of the training part.

    Args:
        datalist: datalist JSON.

    Returns:
        Facts without a name of a file or a patient.
    """
    content = json.loads(Path(datalist).read_text(encoding="utf-8"))
    facts: dict[str, Any] = {
        part: {"files": len(items), "patients": len({item["patient"] for item in items})}
        for part, items in content.items()
        if part in ("training", "validation", "test")
    }
    spacings, sizes, types, bounds = [], [], set(), []
    for item in load_part(str(datalist), "training"):
        volume = read_volume(item["label"])
        # A picture without a header has no spacing: its affine is the identity.
        if not np.array_equal(volume.affine, np.eye(4)):
            spacings += np.linalg.norm(volume.affine[:3, :2], axis=0).round(4).tolist()
        sizes += volume.array.shape[1:]
        types.add(str(volume.array.dtype))
        real = volume.array * volume.slope[:, None, None] + volume.intercept[:, None, None]
        seen = IntensityRange.from_array(real)
        bounds += [seen.lower, seen.upper]
    facts["training"] |= {
        "pixel_spacing_mm": [min(spacings), max(spacings)] if spacings else None,
        "rows_columns": [min(sizes), max(sizes)],
        "types": sorted(types),
        "intensity": [min(bounds), max(bounds)],
    }
    return facts


def main() -> None:
    """Train, then put weights, logs and settings into the bundles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--datalists",
        nargs="+",
        required=True,
        metavar="MODALITY=FILE",
        help="datalist JSON of each modality, made by `monai-sr split`: mri=mri.json oct=oct.json ...",
    )
    parser.add_argument("--vgg-weights", default="published", help="VGG19 weights: a file, or 'published'")
    parser.add_argument(
        "--mobilenet-weights", default="published", help="MobileNetV2 weights: a file, or 'published'"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument(
        "--only", choices=RELEASES, nargs="+", default=list(RELEASES), help="releases to train"
    )
    parser.add_argument("--resume", action="store_true", help="go on with runs that were stopped")
    parser.add_argument(
        "--publish-only", action="store_true", help="train nothing; put what the runs hold into the bundles"
    )
    arguments = parser.parse_args()
    arguments.datalists = {
        key: Path(path).resolve() for key, path in (pair.split("=", 1) for pair in arguments.datalists)
    }
    for release in arguments.only:
        for number in [] if arguments.publish_only else unfinished(release, arguments):
            line = command(release, number, arguments)
            print(" ".join(line), flush=True)
            subprocess.run(line, check=True)
        publish(release, arguments)


if __name__ == "__main__":
    main()
