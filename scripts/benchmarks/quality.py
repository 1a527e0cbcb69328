"""Measure the released bundles on test sets, and write the tables that README and the cards show.

The measured numbers are kept in quality.json, beside this script; tables and figure are drawn from it alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image
from torch import nn

from monai_sr.bundle import Bundle, weights_file
from monai_sr.evaluate import BASELINES, EvaluationResult, evaluate, make_degradation, read_datalist
from monai_sr.evaluate.evaluation import file_stem
from monai_sr.evaluate.statistics import Estimate, summarise
from monai_sr.metrics.feature_distance import VGG_LAYER
from monai_sr.networks import VGG19Features
from monai_sr.report.figures import save_figure
from monai_sr.upscaler import Upscaler

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = Path(__file__).with_suffix(".json")
FIGURE = ROOT / "docs" / "quality.png"
COLUMNS = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "haar_psi": ("HaarPSI", 4),
    "spectrum_error_high": ("high spectrum error, dB", 2),
    "vgg_distance": ("VGG distance", 3),
}
COMMAND = (
    "python scripts/benchmarks/quality.py --datalists mri=MRI.json oct=OCT.json xray=XRAY.json "
    "--vgg-weights VGG19_FILE"
)
START, END = "<!-- results: scripts/benchmarks/quality.py writes this part -->", "<!-- end of results -->"
STATED = (
    *("channel", "border", "intensities", "data_range", "PSNR", "SSIM, MS-SSIM", "HaarPSI", "spectrum error"),
    *("VGG distance", "bicubic", "lanczos", "bspline", "slices", "patients", "interval", "versions"),
)
Row = dict[str, Any]


def released() -> list[Bundle]:
    """The bundles that have weights, by name."""
    folders = sorted(card.parents[1] for card in (ROOT / "bundles").glob("*/configs/metadata.json"))
    return [bundle for bundle in map(Bundle, folders) if bundle.scale_factors]


def modality(bundle: Bundle) -> str:
    """What a bundle's images are: the last part of its name."""
    return bundle.name.rpartition("_")[2]


def stages(bundle: Bundle, scale: int) -> dict[str, Path]:
    """Method's name in the tables -> weights: those of the pixel-loss stage, if any, and the final ones."""
    pixel = weights_file(bundle.root, scale, "pixel")
    found = {f"{bundle.name}, pixel stage": pixel} if pixel.is_file() else {}
    return found | {bundle.name: weights_file(bundle.root, scale)}


def measure(
    bundles: list[Bundle], scale: int, features: nn.Module, arguments: argparse.Namespace
) -> Iterator[Row]:
    """Evaluate one modality's bundles at one scale, by the literature's kernel and by the modality's.

    Args:
        bundles: of one modality and with weights for that scale.
        scale: scale factor.
        features: VGG19's, for `feature_distance`.
        arguments: of this script.

    Yields:
        Rows of the table, the baselines' first.
    """
    kind = modality(bundles[0])
    items = read_datalist(arguments.datalists[kind], "test")
    methods = {name: (bundle, path) for bundle in bundles for name, path in stages(bundle, scale).items()}
    for kernel in ("bicubic", bundles[0].card["degradation_kernel"]):
        result = evaluate(
            {
                name: Upscaler.from_bundle(bundle.root, scale, path)
                for name, (bundle, path) in methods.items()
            },
            items,
            degradation=make_degradation(kernel, scale),
            scale_factor=scale,
            out_dir=arguments.output / f"{kind}_x{scale}_{kernel}",
            max_slices=arguments.max_slices,
            features=features,
            patient_figures=False,
            overwrite=True,
        )
        yield from rows(result, methods, kind, scale, kernel)
        if kernel == "bicubic":
            for name, (bundle, path) in methods.items():
                keep_worst(result.out_dir / f"worst_slice_{file_stem(name)}.png", bundle, path)


def keep_worst(figure: Path, bundle: Bundle, weights: Path) -> None:
    """Put the figure of a network's worst slice into its bundle, small enough for a repository."""
    with Image.open(figure) as image:
        small = image.convert("RGB")
        small.thumbnail((1200, 1200))
        small.save(worst_figure(bundle, weights), quality=80)


def worst_figure(bundle: Bundle, weights: Path) -> Path:
    """Where a bundle keeps the figure of the worst slice by one of its files of weights."""
    return bundle.root / "docs" / f"worst_{weights.stem}.jpg"


def rows(
    result: EvaluationResult, methods: Mapping[str, tuple[Bundle, Path]], kind: str, scale: int, kernel: str
) -> Iterator[Row]:
    """One row for each baseline and network.

    Args:
        result: what `evaluate` returned.
        methods: name in the tables -> its bundle and weights.
        kind: the modality.
        scale: scale factor.
        kernel: short name of the degradation.

    Yields:
        The rows as they are kept.
    """
    against = {name: summarise(result.patient_scores, baseline=name) for name in ("bicubic", "lanczos")}
    for name, metrics in result.summary.items():
        bundle, weights = methods.get(name, (None, None))
        yield {
            "modality": kind,
            "scale": scale,
            "kernel": kernel,
            "method": name,
            "bundle": bundle.name if bundle else None,
            "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest() if weights else None,
            "scores": {key: asdict(metrics[key]) for key in COLUMNS},
            "gains": {
                other: {key: asdict(gains[name][key]) for key in ("psnr", "ssim")}
                for other, gains in against.items()
                if name in gains
            },
            "conventions": {key: result.conventions[key] for key in STATED},
        }


def merge(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """New rows in the place of old ones, in the order of the tables."""

    def key(row: Row) -> tuple[str, int, str, str]:
        return row["modality"], row["scale"], row["kernel"], row["method"]

    def order(row: Row) -> tuple[Any, ...]:
        names = list(BASELINES)
        known = names.index(row["method"]) if row["method"] in names else len(names)
        return row["modality"], row["scale"], row["kernel"] != "bicubic", known, row["method"]

    return sorted({key(row): row for row in (*old, *new)}.values(), key=order)


def table(selected: Iterable[Row]) -> str:
    """Markdown table of rows."""
    titles = ["images", "scale", "kernel", "method", *(title for title, _ in COLUMNS.values())]
    titles += ["PSNR gain on bicubic, dB", "on Lanczos, dB"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in selected:
        name = f"**{row['method']}**" if row["bundle"] else row["method"]
        cells = [row["modality"], f"x{row['scale']}", row["kernel"], name]
        cells += [f"{row['scores'][key]['mean']:.{digits}f}" for key, (_, digits) in COLUMNS.items()]
        cells += [_gain(row["gains"].get(other, {}).get("psnr")) for other in ("bicubic", "lanczos")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _gain(gain: dict[str, Any] | None) -> str:
    if gain is None:
        return ""
    estimate = Estimate(**gain)
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:+.2f}"
    return f"{estimate.mean:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"


def texts(kept: dict[str, Any]) -> dict[Path, str]:
    """Every file that shows results -> its text with the tables of `kept` in place."""
    shown = {ROOT / "README.md": [row for row in kept["rows"] if row["kernel"] == "bicubic"]}
    for bundle in released():
        methods = {*BASELINES, *stages(bundle, 2)}
        shown[bundle.root / "docs" / "README.md"] = [
            row for row in kept["rows"] if row["modality"] == modality(bundle) and row["method"] in methods
        ]
    made = {}
    for path, selected in shown.items():
        before, rest = path.read_text(encoding="utf-8").split(START)
        text = f"{table(selected)}\n\n{_note(kept, selected)}"
        made[path] = f"{before}{START}\n{text}\n{END}{rest.split(END)[1]}"
    return made


def _note(kept: dict[str, Any], selected: list[Row]) -> str:
    lines = [
        f"Made by `{kept['command']}`, which also writes the scores of each image. Conventions:",
        f"- VGG19's weights: the file of SHA-256 `{kept['vgg_weights_sha256']}`; weights whose channels are "
        "scaled otherwise, such as torchvision's own, give other distances",
    ]
    for key in STATED:
        said: dict[str, list[str]] = {}
        for row in selected:
            said.setdefault(row["conventions"][key], []).append(f"{row['modality']} x{row['scale']}")
        for sentence, of in said.items():
            where = "" if len(said) == 1 else f" ({', '.join(dict.fromkeys(of))})"
            lines.append(f"- {key}{where}: {sentence}")
    return "\n".join(lines)


def draw(kept: dict[str, Any]) -> None:
    """Draw every method's PSNR gain over bicubic, with its interval."""
    from matplotlib.figure import Figure

    selected = [row for row in kept["rows"] if row["kernel"] == "bicubic" and "bicubic" in row["gains"]]
    figure = Figure(figsize=(8, 1 + 0.24 * len(selected)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(reversed(selected)):
        gain = Estimate(**row["gains"]["bicubic"]["psnr"])
        colour = "tab:blue" if row["bundle"] else "tab:gray"
        axes.plot([gain.mean], [place], "o", color=colour)
        if gain.low is not None:
            axes.plot([gain.low, gain.high], [place, place], "-", color=colour)
    names = [f"{row['method']}, {row['modality']} x{row['scale']}" for row in reversed(selected)]
    axes.set_yticks(range(len(names)), names)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("PSNR gain on bicubic, dB: mean over test patients and 95% interval")
    save_figure(figure, FIGURE)


def check(kept: dict[str, Any]) -> list[str]:
    """What in the checkout does not follow from the kept numbers."""
    faults = [
        f"{path.relative_to(ROOT)} does not show the tables of {NUMBERS.name}"
        for path, text in texts(kept).items()
        if path.read_text(encoding="utf-8") != text
    ]
    measured = {(row["method"], row["scale"]): row["weights_sha256"] for row in kept["rows"] if row["bundle"]}
    for bundle in released():
        for scale in bundle.scale_factors:
            for method, weights in stages(bundle, scale).items():
                if measured.get((method, scale)) != hashlib.sha256(weights.read_bytes()).hexdigest():
                    faults.append(f"{weights.relative_to(ROOT)} is not what {NUMBERS.name} was measured with")
    return faults


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = {"rows": []}
    return json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.is_file() else kept


def main() -> int:
    """Measure and write, or with `--check` compare what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--datalists",
        nargs="+",
        default=[],
        metavar="MODALITY=FILE",
        help="datalist JSON of each modality, whose test part is measured: mri=mri.json oct=oct.json ...",
    )
    parser.add_argument("--only", nargs="+", help="bundles to measure; the others' numbers are kept")
    parser.add_argument(
        "--scales", nargs="+", type=int, default=[2, 4], help="scale factors; both by default"
    )
    parser.add_argument("--vgg-weights", type=Path, help="file of VGG19's weights up to relu3_1")
    parser.add_argument("--output", type=Path, default=Path("quality"), help="folder of the evaluations")
    parser.add_argument("--max-slices", type=int, help="evenly spaced slices of each file; all by default")
    parser.add_argument(
        "--check", action="store_true", help="measure nothing; fail if a table is not up to date"
    )
    arguments = parser.parse_args()
    kept = _kept()
    if arguments.check:
        faults = check(kept)
        print(*faults, sep="\n", end="\n" if faults else "")
        return bool(faults)
    if not arguments.datalists or arguments.vgg_weights is None:
        parser.error("--datalists and --vgg-weights are needed to measure")
    arguments.datalists = dict(pair.split("=", 1) for pair in arguments.datalists)
    command = COMMAND
    if arguments.max_slices is not None:
        command += f" --max-slices {arguments.max_slices}"
    features = VGG19Features(arguments.vgg_weights, VGG_LAYER)
    digest = hashlib.sha256(Path(arguments.vgg_weights).read_bytes()).hexdigest()
    for kind in arguments.datalists:
        for scale in arguments.scales:
            bundles = [
                bundle
                for bundle in released()
                if modality(bundle) == kind
                and scale in bundle.scale_factors
                and bundle.name in (arguments.only or [bundle.name])
            ]
            if bundles:
                new = list(measure(bundles, scale, features, arguments))
                print(table(new), flush=True)
                kept = _kept()  # read again: another may have measured meanwhile
                kept["rows"] = merge(kept["rows"], new)
                kept |= {"command": command, "vgg_weights_sha256": digest}
                NUMBERS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    for path, text in texts(kept).items():
        path.write_text(text, encoding="utf-8")
    draw(kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
