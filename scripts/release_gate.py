"""Say of bundles whether their weights may be released: one table of checks, and an exit code.

Quality is that of the literature's kernel, bicubic; all else is by the bundle's own degradation. The
adversarial stage is not held to PSNR, which is not its aim, but to a spectrum nearer to the original's than
bicubic's. The limits stand beside each value. Few patients are enough to see that a release is broken; the
cards hold what is measured on all of them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from monai_sr.bundle import Bundle, find_bundle, weights_file
from monai_sr.degradation import KERNELS
from monai_sr.errors import MonaiSRError
from monai_sr.evaluate import EvaluationItem, evaluate, make_degradation, read_datalist
from monai_sr.evaluate.phantom_tests import score_phantoms
from monai_sr.evaluate.statistics import estimate_mean
from monai_sr.trust.consistency import TOLERANCE
from monai_sr.upscaler import Upscaler
from scripts.benchmarks import consistency, coverage

HALLUCINATION = Path(__file__).with_name("benchmarks") / "hallucination.json"
MOST_DIFFERENCE = 0.02
"""RMS of what the result, degraded again, may differ from its source by, as a share of the range."""

COVERAGE, MOST_OFF = 0.9, 0.05
MOST_SHIFT = 0.1
"""High-resolution pixels by which a blurred dot may move."""

SIZE, SIGMA = 32, 2.5
"""Side of the image with the dot, and its standard deviation, in low-resolution pixels."""


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Args:
        what: is checked.
        value: that was found.
        limit: for it.
        holds: whether it is kept.
    """

    what: str
    value: str
    limit: str
    holds: bool


def weight_files(bundle: Bundle, scale: int) -> dict[str, Path]:
    """Stage -> weights: the pixel-loss stage of an adversarial bundle, and the final ones."""
    pixel = weights_file(bundle.root, scale, "pixel")
    return ({"pixel": pixel} if pixel.is_file() else {}) | {"final": weights_file(bundle.root, scale)}


def check_quality(
    bundle: Bundle, scale: int, items: list[EvaluationItem], max_slices: int | None
) -> Iterator[Check]:
    """Against bicubic and Lanczos, each patient's difference taken first."""
    files = weight_files(bundle, scale)
    upscalers = {stage: Upscaler.from_bundle(bundle.root, scale, path) for stage, path in files.items()}
    with TemporaryDirectory() as folder:
        result = evaluate(
            upscalers,
            items,
            degradation=make_degradation("bicubic", scale),
            scale_factor=scale,
            out_dir=Path(folder) / "out",
            max_slices=max_slices,
            patient_figures=False,
        )
    of = {(score.patient, score.method): score.scores for score in result.patient_scores}
    patients = sorted({patient for patient, _ in of})
    for stage in upscalers:
        is_adversarial = stage == "final" and "pixel" in upscalers
        metric, better = ("spectrum_error_high", -1) if is_adversarial else ("psnr", 1)
        for baseline in ("bicubic", "lanczos"):
            gain = estimate_mean(
                [
                    better * (of[patient, stage][metric] - of[patient, baseline][metric])
                    for patient in patients
                ]
            )
            least = gain.mean if gain.low is None else gain.low
            name = "high spectrum error less" if is_adversarial else "PSNR more"
            value = f"{gain.mean:+.2f} dB, at least {least:+.2f}"
            yield Check(f"{stage}: {name} than {baseline}'s", value, "> 0", least > 0)


def check_consistency(bundle: Bundle, scale: int, items: list[EvaluationItem]) -> Iterator[Check]:
    """Of the middle slices, as made and enforced."""
    levels = consistency.LEVELS[bundle.name.rpartition("_")[2]]
    upscaler, kernel = Upscaler.from_bundle(bundle.root, scale), bundle.kernel or "bicubic"
    found = [consistency.measure(item.path, upscaler, kernel, levels) for item in items]
    rms = max(each["rms"] for each in found) / levels
    yield Check(
        "differs from the source", f"RMS {rms:.2%}", f"<= {MOST_DIFFERENCE:.0%}", rms <= MOST_DIFFERENCE
    )
    largest = max(each["enforced"] for each in found)
    yield Check("enforced", f"{largest:.2f} stored units", f"<= {TOLERANCE}", largest <= TOLERANCE)


def check_coverage(bundle: Bundle, scale: int, items: list[EvaluationItem]) -> Iterator[Check]:
    """Of the intervals, where they are calibrated."""
    if f"x{scale}" not in bundle.card.get("intervals", {}):
        return
    upscaler = Upscaler.from_bundle(bundle.root, scale, consistency="off", uncertainty=True)
    kernel = bundle.kernel or "bicubic"
    share = float(
        np.mean([coverage.shares(upscaler, *coverage.pair(item, kernel, scale))["all"] for item in items])
    )
    limit = f"{COVERAGE:.0%} ± {MOST_OFF:.0%}"
    yield Check("intervals hold", f"{share:.1%}", limit, abs(share - COVERAGE) <= MOST_OFF)


def check_phantoms(bundle: Bundle, scale: int) -> Iterator[Check]:
    """Structures where there are none; those of an adversarial stage may be what its card tells of."""
    files = weight_files(bundle, scale)
    methods = {stage: Upscaler.from_bundle(bundle.root, scale, path).predict for stage, path in files.items()}
    told = json.loads(HALLUCINATION.read_text(encoding="utf-8"))["rows"]
    stated = [
        row
        for row in told
        if (row["bundle"], row["scale"], row["method"]) == (bundle.name, scale, bundle.name)
    ]
    scores = score_phantoms(methods, make_degradation(bundle.kernel or "bicubic", scale), scale)
    for stage, found in scores.items():
        rate, limit = found["standing_out"], 0.0
        if stage == "final" and "pixel" in methods and stated:
            limit = stated[0]["phantoms"]["standing_out"]
        yield Check(
            f"{stage}: structures made up on phantoms",
            f"{rate:.1f} per megapixel",
            f"<= {limit:.1f}",
            rate <= limit,
        )


def check_geometry(bundle: Bundle, scale: int) -> Iterator[Check]:
    """Where a blurred dot comes to lie, and whether twice is the same."""
    side = SIZE * scale
    place = np.array([0.47, 0.54]) * (side - 1)
    square = sum((grid - centre) ** 2 for grid, centre in zip(np.mgrid[:side, :side], place, strict=True))
    high = np.exp(-0.5 * square / (SIGMA * scale) ** 2).astype(np.float32)
    low = KERNELS[bundle.kernel or "bicubic"](torch.from_numpy(high)[None], scale).numpy()
    upscaler = Upscaler.from_bundle(bundle.root, scale)
    finer = upscaler.predict(low)
    shift = float(np.abs(_centre(finer[0]) - _centre(high)).max())
    yield Check("a dot moves", f"{shift:.3f} pixels", f"<= {MOST_SHIFT}", shift <= MOST_SHIFT)
    again = np.array_equal(finer, upscaler.predict(low))
    yield Check("twice gives the same", "yes" if again else "no", "yes", again)


def check_precision(bundle: Bundle, scale: int) -> Iterator[Check]:
    """Whether precisions below float32 were measured for the weights that are there."""
    stated = bundle.card.get("precision", {}).get(f"x{scale}", {})
    value = ", ".join(f"{name} {found['psnr_to_float32']:.0f} dB" for name, found in stated.items()) or "none"
    yield Check("precision was measured", value, "any", bool(stated))


def _centre(image: np.ndarray) -> np.ndarray:
    """Centre of what is above half of the largest value, weighted by it."""
    weights = np.clip(image - image.max() / 2, 0, None)
    return (
        np.array([(grid * weights).sum() for grid in np.mgrid[: image.shape[0], : image.shape[1]]])
        / weights.sum()
    )


def gate(
    bundle: Bundle, scale: int, datalist: Path, max_patients: int | None, max_slices: int | None
) -> list[Check]:
    """Every check of one bundle at one scale.

    Args:
        bundle: with weights for that scale.
        scale: scale factor.
        datalist: JSON with a test part.
        max_patients: at most so many of it; None for all.
        max_slices: of each file; None for all.

    Returns:
        The checks.

    Raises:
        MonaiSRError: if the bundle or the images cannot be used.
    """
    items = read_datalist(datalist, "test")
    patients = list(dict.fromkeys(item.patient for item in items))[:max_patients]
    items = [item for item in items if item.patient in patients]
    return [
        *check_quality(bundle, scale, items, max_slices),
        *check_consistency(bundle, scale, items),
        *check_coverage(bundle, scale, items),
        *check_phantoms(bundle, scale),
        *check_geometry(bundle, scale),
        *check_precision(bundle, scale),
    ]


def main() -> int:
    """Check bundles; the exit code is 1 where one check does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE")
    parser.add_argument("--datalists", nargs="+", required=True, metavar="MODALITY=FILE")
    parser.add_argument("--scales", nargs="+", type=int, default=[2, 4])
    parser.add_argument("--max-patients", type=int)
    parser.add_argument("--max-slices", type=int)
    arguments = parser.parse_args()
    datalists = dict(entry.split("=", 1) for entry in arguments.datalists)
    print("| bundle | scale | check | found | limit | |\n|---|---|---|---|---|---|", flush=True)
    failed = 0
    for name in arguments.bundles:
        for scale in arguments.scales:
            try:
                bundle = find_bundle(name)
                modality = bundle.name.rpartition("_")[2]
                limits = arguments.max_patients, arguments.max_slices
                checks = gate(bundle, scale, Path(datalists[modality]), *limits)
            except MonaiSRError as error:
                checks = [Check(str(error), "", "", False)]
            for check in checks:
                failed += not check.holds
                told = "holds" if check.holds else "**FAILS**"
                print(
                    f"| {name} | {scale} | {check.what} | {check.value} | {check.limit} | {told} |",
                    flush=True,
                )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
