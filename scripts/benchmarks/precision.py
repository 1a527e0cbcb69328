"""Measure what a precision below float32 does to each released network, on real images.

Of the middle of every validation file, by each runtime that computes in it: PSNR of the output against
float32's, and by how much the PSNR against the original changes. The worst goes into the bundles'
`docs/precision.json`; `scripts/build_bundles.py` takes it into their metadata, where `--precision auto`
reads it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from monai_sr.bundle import Bundle, weights_file
from monai_sr.evaluate import make_degradation
from monai_sr.runtimes import RUNTIMES, is_fast, make_runtime
from monai_sr.weights import read_weights
from scripts.train_released_weights import middles

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
PRECISIONS = ("bfloat16",)
SIZE = 128
CPU = torch.device("cpu")


def psnr(first: torch.Tensor, second: torch.Tensor) -> float:
    """Of intensities about [0, 1], in dB, at most 100."""
    return float(-10 * (first - second).square().mean().clamp_min(1e-10).log10())


def measure(network: nn.Module, images: list[torch.Tensor], scale: int) -> dict[str, dict[str, float]]:
    """What each precision does to one network.

    Args:
        network: with its weights.
        images: high-resolution images, shape (1, 1, H, W).
        scale: scale factor.

    Returns:
        Precision -> least PSNR against float32's output, and the largest mean change of the PSNR against the
        original, both in dB.
    """
    degradation = make_degradation("bicubic", scale)
    plain = make_runtime(network, CPU, "torch")
    lower = {
        (precision, name): make_runtime(network, CPU, name, precision, force_precision=True)
        for name, computed in RUNTIMES.items()
        for precision in PRECISIONS
        if precision in computed["cpu"]
    }
    agreement: dict[tuple[str, str], list[float]] = {key: [] for key in lower}
    change: dict[tuple[str, str], list[float]] = {key: [] for key in lower}
    for image in images:
        rows, columns = (side // scale * scale for side in image.shape[2:])
        high = image[:, :, :rows, :columns]
        low = degradation(high[0])[None]
        exact = plain(low)
        for key, runtime in lower.items():
            pred = runtime(low)
            agreement[key].append(psnr(pred, exact))
            change[key].append(psnr(pred, high) - psnr(exact, high))
    means = {key: sum(changes) / len(images) for key, changes in change.items()}
    return {
        precision: {
            "psnr_to_float32": round(min(min(agreement[key]) for key in lower if key[0] == precision), 1),
            "psnr_change": round(max((means[key] for key in lower if key[0] == precision), key=abs), 4),
        }
        for precision in PRECISIONS
    }


def record(bundle: Bundle, images: list[torch.Tensor]) -> dict[str, Any]:
    """What is kept for a bundle: for each scale the hashes of its weights, and the worst of its stages."""
    kept = {}
    for scale in bundle.scale_factors:
        files = [weights_file(bundle.root, scale, stage) for stage in ("", "pixel")]
        files = [file for file in files if file.is_file()]
        found = []
        for file in files:
            network = bundle.network(scale)
            read_weights(file).load_into(network)
            found.append(measure(network, images, scale))
        kept[f"x{scale}"] = {
            "weights_sha256": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
            "measured": {
                name: {
                    "psnr_to_float32": min(each[name]["psnr_to_float32"] for each in found),
                    "psnr_change": max((each[name]["psnr_change"] for each in found), key=abs),
                }
                for name in PRECISIONS
            },
        }
        print(bundle.name, f"x{scale}", kept[f"x{scale}"]["measured"], flush=True)
    return kept


def main() -> int:
    """Measure the bundles of the modalities that datalists are given for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datalists", nargs="+", required=True, metavar="MODALITY=FILE")
    parser.add_argument("--only", nargs="+", help="bundles to measure")
    arguments = parser.parse_args()
    for name in PRECISIONS:
        if not is_fast(name, CPU):
            parser.error(f"this processor has no {name}, without which not every runtime can be measured")
    for modality, datalist in (entry.split("=", 1) for entry in arguments.datalists):
        images = list(middles(Path(datalist), "validation", SIZE))
        for folder in sorted(BUNDLES.glob(f"*_{modality}")):
            if arguments.only is None or folder.name in arguments.only:
                kept = record(Bundle(folder), images)
                target = folder / "docs" / "precision.json"
                target.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
