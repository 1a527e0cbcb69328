"""Measure what the released bundles make up: on test slices, by inserted lesions and on phantoms.

The numbers are kept in hallucination.json, beside this script; the cards of the bundles show them, and
docs/howto/hallucination.md what matters most of all bundles.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from monai_sr.bundle import Bundle, find_bundle, weights_file
from monai_sr.evaluate import BASELINES, evaluate, make_degradation, read_datalist
from monai_sr.evaluate.hallucination import HALLUCINATION_CONVENTIONS, HALLUCINATION_METRICS
from monai_sr.evaluate.phantom_tests import PHANTOM_CONVENTIONS, PHANTOM_METRICS, score_phantoms
from monai_sr.evaluate.statistics import Estimate
from monai_sr.upscaler import Upscaler
from scripts.benchmarks.pages import with_results

NUMBERS = Path(__file__).with_suffix(".json")
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "hallucination.md"
START = "<!-- hallucination: scripts/benchmarks/hallucination.py writes this part -->"
END = "<!-- end of hallucination -->"
STATED = ("degradation", "slices", "patients", "interval", "versions")
Row = dict[str, Any]


def stages(bundle: Bundle, scale: int) -> dict[str, Path]:
    """Method's name -> weights: those of the pixel-loss stage, if any, and the final ones."""
    pixel = weights_file(bundle.root, scale, "pixel")
    found = {f"{bundle.name}, pixel stage": pixel} if pixel.is_file() else {}
    return found | {bundle.name: weights_file(bundle.root, scale)}


def measure(bundle: Bundle, scale: int, datalist: str, arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure one bundle's stages at one scale, by the degradation of its card.

    Args:
        bundle: with weights for that scale.
        scale: scale factor.
        datalist: file whose test part is measured.
        arguments: of this script.

    Yields:
        A row for bicubic and for each stage.
    """
    degradation = make_degradation(bundle.card["degradation_kernel"], scale)
    items = read_datalist(datalist, "test")
    patients = list(dict.fromkeys(item.patient for item in items))[: arguments.max_patients]
    methods = stages(bundle, scale)
    upscalers = {name: Upscaler.from_bundle(bundle.root, scale, path) for name, path in methods.items()}
    result = evaluate(
        upscalers,
        [item for item in items if item.patient in patients],
        degradation=degradation,
        scale_factor=scale,
        out_dir=arguments.output / f"{bundle.name}_x{scale}",
        max_slices=arguments.max_slices,
        hallucination=True,
        patient_figures=False,
        overwrite=True,
    )
    predict = {name: upscaler.predict for name, upscaler in upscalers.items()}
    bicubic = {"bicubic": partial(BASELINES["bicubic"], scale_factor=scale)}
    phantoms = score_phantoms(bicubic | predict, degradation, scale)
    for name, scores in phantoms.items():
        weights = methods.get(name)
        gains = result.differences.get(name)
        yield {
            "bundle": bundle.name,
            "scale": scale,
            "method": name,
            "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest() if weights else None,
            "slices": {key: asdict(result.summary[name][key]) for key in HALLUCINATION_METRICS},
            "gains": {key: asdict(gains[key]) for key in HALLUCINATION_METRICS} if gains else None,
            "phantoms": scores,
            "conventions": {key: result.conventions[key] for key in STATED},
        }


def merge(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """New rows in the place of all old ones of the same bundle and scale, in order."""
    fresh = list(new)
    measured = {(row["bundle"], row["scale"]) for row in fresh}
    kept = [row for row in old if (row["bundle"], row["scale"]) not in measured]
    return sorted((*kept, *fresh), key=lambda row: (row["bundle"], row["scale"], row["method"] != "bicubic"))


def table(rows: list[Row]) -> str:
    """Markdown table with one row a measure and one column a method.

    Args:
        rows: of one bundle and scale.

    Returns:
        Markdown; below each lesion's measure stands its paired difference to bicubic.
    """
    lines = [f"| | {' | '.join(row['method'] for row in rows)} |", "|---" * (len(rows) + 1) + "|"]
    for key, title in HALLUCINATION_METRICS.items():
        lines.append(_line(title, [_estimate(row["slices"][key], "") for row in rows]))
        if key == "lesion_auc":
            cells = [_estimate(row["gains"][key], "+") if row["gains"] else "" for row in rows]
            lines.append(_line("its difference to bicubic", cells))
    for key, title in PHANTOM_METRICS.items():
        lines.append(_line(f"phantoms: {title}", [f"{row['phantoms'][key]:.3g}" for row in rows]))
    return "\n".join(lines)


def _line(title: str, cells: list[str]) -> str:
    return f"| {title} | {' | '.join(cells)} |"


def _estimate(kept: dict[str, Any], sign: str) -> str:
    estimate = Estimate(**kept)
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:{sign}.3f}"
    return f"{estimate.mean:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def section(kept: dict[str, Any], bundle: str) -> str:
    """What a bundle's card says of its measurements.

    Args:
        kept: content of hallucination.json.
        bundle: name.

    Returns:
        Markdown; empty if it was not measured.
    """
    own = [row for row in kept["rows"] if row["bundle"] == bundle]
    if not own:
        return ""
    parts = [
        "### What it makes up",
        "On slices of the test part, on lesions inserted there and on phantoms; made by "
        f"`{kept['command']}`.",
    ]
    for scale in sorted({row["scale"] for row in own}):
        rows = [row for row in own if row["scale"] == scale]
        said = (f"- {key}: {text}" for key, text in rows[0]["conventions"].items())
        parts += [f"#### x{scale}", table(rows), "\n".join(said)]
    conventions = (f"- {key}: {text}" for key, text in kept["conventions"].items())
    return "\n\n".join([*parts, "#### Conventions", "\n".join(conventions)]) + "\n"


def overview(kept: dict[str, Any]) -> str:
    """Markdown table of all bundles: lesions beside bicubic's, and structures on empty phantoms."""
    lines = [
        "| scale | method | test patients | lesion AUC, difference to bicubic "
        "| structures where nothing is, per megapixel | of these beyond the method's own noise |",
        "|---|---|---|---|---|---|",
    ]
    for row in sorted(kept["rows"], key=lambda row: (row["bundle"].rpartition("_")[2], row["scale"])):
        if row["gains"]:
            hides = (row["gains"]["lesion_auc"]["high"] or 0) < 0
            gain = _estimate(row["gains"]["lesion_auc"], "+")
            found = row["phantoms"]
            lines.append(
                f"| x{row['scale']} | {row['method']} | {row['gains']['lesion_auc']['n_patients']} "
                f"| {f'**{gain}**' if hides else gain} "
                f"| {found['false_structures']:.1f} | {found['standing_out']:.1f} |"
            )
    return "\n".join(lines)


def pages(kept: dict[str, Any]) -> dict[Path, str]:
    """Every card, and the page of all bundles -> its text with what `kept` tells in place."""
    made = {PAGE: with_results(PAGE, "scripts/benchmarks/hallucination.py", overview(kept))}
    for path in sorted((ROOT / "bundles").glob("*/docs/README.md")):
        text = path.read_text(encoding="utf-8")
        if START in text:
            before, rest = text.split(START)
            made[path] = f"{before}{START}\n{section(kept, path.parents[1].name)}{END}{rest.split(END)[1]}"
    return made


def check(kept: dict[str, Any]) -> list[str]:
    """What in the checkout does not follow from the kept numbers."""
    faults = [
        f"{path.relative_to(ROOT)} does not show the tables of {NUMBERS.name}"
        for path, text in pages(kept).items()
        if path.read_text(encoding="utf-8") != text
    ]
    for row in kept["rows"]:
        if row["weights_sha256"]:
            weights = stages(find_bundle(ROOT / "bundles" / row["bundle"]), row["scale"])[row["method"]]
            if hashlib.sha256(weights.read_bytes()).hexdigest() != row["weights_sha256"]:
                faults.append(f"{weights.relative_to(ROOT)} is not what {NUMBERS.name} was measured with")
    return faults


def report(kept: dict[str, Any]) -> str:
    """All tables with their conventions, as Markdown."""
    parts = ["# What the bundles make up", f"By `{kept['command']}`."]
    for name, scale in dict.fromkeys((row["bundle"], row["scale"]) for row in kept["rows"]):
        rows = [row for row in kept["rows"] if (row["bundle"], row["scale"]) == (name, scale)]
        said = "; ".join(f"{key}: {text}" for key, text in rows[0]["conventions"].items())
        parts += [f"## {name} x{scale}", table(rows), said]
    parts += ["## Conventions", "\n".join(f"- {key}: {text}" for key, text in kept["conventions"].items())]
    return "\n\n".join(parts)


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = {"rows": []}
    return json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.is_file() else kept


def main() -> int:
    """Measure, keep the numbers and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="*", help="names; none prints what is kept and writes the cards")
    parser.add_argument(
        "--datalists",
        nargs="+",
        default=[],
        metavar="MODALITY=FILE",
        help="datalist JSON of each modality, whose test part is measured: mri=mri.json oct=oct.json ...",
    )
    parser.add_argument("--scales", nargs="+", type=int, default=[2], help="scale factors; 2 by default")
    parser.add_argument("--max-slices", type=int, help="evenly spaced slices of each file; all by default")
    parser.add_argument("--max-patients", type=int, help="the first so many; all by default")
    parser.add_argument("--output", type=Path, default=Path("hallucination"), help="folder of evaluations")
    parser.add_argument(
        "--check", action="store_true", help="measure nothing; fail if a card is not up to date"
    )
    arguments = parser.parse_args()
    kept = _kept()
    if arguments.check:
        faults = check(kept)
        print(*faults, sep="\n", end="\n" if faults else "")
        return bool(faults)
    datalists = dict(pair.split("=", 1) for pair in arguments.datalists)
    for bundle in map(find_bundle, arguments.bundles):
        modality = bundle.name.rpartition("_")[2]
        if modality not in datalists:
            parser.error(f"--datalists {modality}=FILE is needed to measure {bundle.name}")
        for scale in arguments.scales:
            new = list(measure(bundle, scale, datalists[modality], arguments))
            kept = _kept()  # read again: another may have measured meanwhile
            kept |= {
                "command": "python -m scripts.benchmarks.hallucination",
                "rows": merge(kept["rows"], new),
                "conventions": HALLUCINATION_CONVENTIONS | PHANTOM_CONVENTIONS,
            }
            NUMBERS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if kept["rows"]:
        print(report(kept))
        for path, text in pages(kept).items():
            path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
