"""Write the model cards from one template, the texts in cards.json and the records of the trainings."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from monai.bundle import ConfigParser

from monai_sr.bundle import Bundle, weights_file

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
PARTS = BUNDLES / "_parts"
MEASURED = (
    ("<!-- results: ", "<!-- end of results -->"),
    ("<!-- hallucination: ", "<!-- end of hallucination -->"),
)
"""What stands around the parts that benchmarks write."""


def card(bundle: Bundle, network: str, modality: str, texts: dict[str, Any]) -> str:
    """The text of one card, with the results that stand in the present one.

    Args:
        bundle: the bundle.
        network: key of the networks in `texts`.
        modality: key of its modalities.
        texts: content of `cards.json`.

    Returns:
        Markdown.
    """
    config = ConfigParser(ConfigParser.load_config_file(bundle.root / "configs" / "train.json"))
    about = dict(texts["networks"][network])
    about["structure"] = about["structure"].format(**config["network_def"])
    images = dict(texts["modalities"][modality])
    images["degradation"] = images["degradation"].format(*config["degrade_random"][1]["weights"])
    scales = bundle.scale_factors
    records = {scale: _record(bundle.root, scale) for scale in scales}
    needed = _releases([f"{bundle.name}_x{scale}" for scale in scales])
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(
        (PARTS / "card.md").read_text(encoding="utf-8")
    )
    text = template.render(
        name=bundle.name,
        key=modality,
        network=about,
        modality=images,
        scales=" and ".join(f"x{scale}" for scale in scales),
        parameters=", ".join(f"x{scale} {_parameters(bundle, scale):,}" for scale in scales or [2]),
        weights=_weights(bundle),
        degradation_version=bundle.card["degradation_version"],
        domain=_domain(bundle.card["domain"]),
        data=_data(bundle.root),
        runs=[run for scale in scales for run in _runs(bundle.root, scale, records[scale])],
        notes=texts["notes"].get(bundle.name, []),
        half=[f"x{scale} {_fidelity(record)}" for scale, record in records.items()],
        taught=[f"x{scale} {text}" for scale, record in records.items() for text in _taught(record)],
        bfloat16=_bfloat16(bundle),
        origins=", ".join(f"`{name}`" for name in _bundles(needed) if name.rpartition("_")[2] != modality),
        kinds=dict.fromkeys(name.rpartition("_")[2] for name in _bundles(needed)),
        only=" ".join(needed),
        curves=_curves(bundle, scales),
        stability=(bundle.root / "docs" / "stability.png").is_file(),
        worst=_worst(bundle, scales),
        intervals=_intervals(bundle),
    )
    path = bundle.root / "docs" / "README.md"
    present = path.read_text(encoding="utf-8") if path.is_file() else ""
    for start, end in MEASURED:
        if start in text and start in present:
            before, rest = text.split(start)
            text = before + start + present.split(start)[1].split(end)[0] + end + rest.split(end)[1]
    return text


def _parameters(bundle: Bundle, scale: int) -> int:
    return sum(parameter.numel() for parameter in bundle.network(scale).parameters())


def _weights(bundle: Bundle) -> str:
    stages = _stages(bundle, bundle.scale_factors)
    files = [f"`models/{path.name}` ({title})" for title, path in stages if "pixel" not in title]
    pixel = [f"`models/{path.name}`" for title, path in stages if "pixel" in title]
    if not files:
        return "none released yet: train it, or take another bundle of these images"
    return ", ".join(files) + (f"; {', '.join(pixel)}, the same after the pixel stage alone" if pixel else "")


def _bfloat16(bundle: Bundle) -> list[str]:
    texts = []
    for scale, measured in bundle.card.get("precision", {}).items():
        found = measured["bfloat16"]
        taken = "bfloat16" in bundle.measured_precisions(int(scale[1:]))
        texts.append(
            f"{scale} {found['psnr_to_float32']:.1f} dB, changed by {found['psnr_change']:+.4f} dB, so that "
            f"`--precision auto` {'takes it where it is fast' if taken else 'stays with float32'}"
        )
    return texts


def _intervals(bundle: Bundle) -> list[str]:
    """What is known of the intervals of each scale."""
    texts = []
    for scale, entry in bundle.card.get("intervals", {}).items():
        found = entry["left_out_coverage"]
        texts.append(
            f"{scale} {entry['coverage']:.0%} by {entry['units']} {entry['unit']}s of {entry['patients']} "
            f"patients ({entry['calibrated_on']}); of each one, intervals that the others calibrated hold "
            f"{found['least']:.0%} to {found['greatest']:.0%} of the pixels, {found['mean']:.1%} on average"
        )
    return texts


def _data(root: Path) -> str:
    """What the network saw, from the facts that its training left."""
    path = root / "docs" / "training_data.json"
    if not path.is_file():
        return ""
    facts = json.loads(path.read_text(encoding="utf-8"))
    names = ("training", "validation", "test")
    parts = [
        f"{facts[name]['files']} files of {facts[name]['patients']} patients for {name}" for name in names
    ]
    seen = facts["training"]
    spacing = "The training files state no pixel spacing."
    if seen["pixel_spacing_mm"]:
        low, high = seen["pixel_spacing_mm"]
        spacing = f"Pixel spacing seen in training: {low:.2f} to {high:.2f} mm."
    fewest, most = seen["rows_columns"]
    low, high = seen["intensity"]
    return (
        f"{', '.join(parts)}, split by patient. {spacing} Sides of {fewest} to {most} pixels, stored as "
        f"{' and '.join(seen['types'])}, whose 0.1 and 99.9 percentiles lie within {low:g} and {high:g}."
    )


def _domain(stated: dict[str, Any]) -> str:
    """What `upscale` holds an image against, for a reader."""
    fewest, most = stated["rows_columns"]
    sampling = f"sides of {fewest} to {most} pixels, of unknown spacing"
    if stated["pixel_spacing_mm"]:
        low, high = stated["pixel_spacing_mm"]
        sampling = f"pixels of {low:.2f} to {high:.2f} mm"
    noise, middle, dark = (
        "{:.1%} to {:.1%}".format(*stated["statistics"][name]) for name in ("noise", "middle", "dark")
    )
    return (
        f"modality {' or '.join(stated['modalities'])}, body part {', '.join(stated['body_parts'])}; at high "
        f"resolution {sampling}; noise {noise} and median intensity {middle} of the range, background {dark} "
        f"of the pixels ({stated['files']} files of {stated['patients']} patients, training and validation)"
    )


def _record(root: Path, scale: int) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(
        (root / "docs" / f"training_x{scale}.json").read_text(encoding="utf-8")
    )
    return record


def _releases(names: list[str]) -> list[str]:
    """Releases in the order in which they are trained: each after those whose weights its runs begin with."""
    found: list[str] = []
    for name in names:
        bundle, scale = name.rsplit("_x", 1)
        for settings in _record(BUNDLES / bundle, int(scale))["runs"]:
            origins = [
                settings[key]
                for key in ("initial_trunk", "initial_weights", "initial_edsr")
                if key in settings
            ]
            found += _releases([origin.split("/")[0] for origin in origins])
        found.append(name)
    return list(dict.fromkeys(found))


def _bundles(releases: list[str]) -> list[str]:
    """Names of the bundles of some releases."""
    return list(dict.fromkeys(name.rsplit("_x", 1)[0] for name in releases))


def _stages(bundle: Bundle, scales: list[int]) -> list[tuple[str, Path]]:
    """Every file of weights of a bundle with its title."""
    found = []
    for scale in scales:
        pixel = weights_file(bundle.root, scale, "pixel")
        found += [(f"x{scale}, pixel stage", pixel)] if pixel.is_file() else []
        found.append((f"x{scale}", weights_file(bundle.root, scale)))
    return found


def _curves(bundle: Bundle, scales: list[int]) -> list[tuple[str, str]]:
    """Titles and names of the figures of the trainings."""
    stages = {"pixel_training": ", pixel stage", "training": ""}
    return [
        (f"x{scale}{title}", f"{name}_x{scale}.png")
        for scale in scales
        for name, title in stages.items()
        if (bundle.root / "docs" / f"{name}_x{scale}.png").is_file()
    ]


def _worst(bundle: Bundle, scales: list[int]) -> list[tuple[str, str]]:
    """Titles and names of the figures of the worst slices."""
    return [
        (f"{title}: low resolution, bicubic, super-resolution, high resolution, above the errors", name)
        for title, path in _stages(bundle, scales)
        if (bundle.root / "docs" / (name := f"worst_{path.stem}.jpg")).is_file()
    ]


def _runs(root: Path, scale: int, record: dict[str, Any]) -> list[dict[str, Any]]:
    """A row of the table of trainings for each run and stage of one scale."""
    config = ConfigParser.load_config_file(root / "configs" / "train.json")
    two = (root / "docs" / f"pixel_training_x{scale}.csv").is_file()
    rows = []
    for number, settings in enumerate(record["runs"], start=1):
        parser = ConfigParser(dict(config))
        for key, value in {"scale_factor": scale, **settings}.items():
            parser[key] = value
        for stage in ("pixel", "adversarial") if two else ("pixel",):
            first = two and stage == "pixel"
            log = root / "docs" / f"{'pixel_' if first else ''}training_x{scale}.csv"
            epochs, best = _best_epoch(log, number, "val_psnr" if stage == "pixel" else "val_spectrum_error")
            rows.append(
                {
                    "scale": scale,
                    "number": number,
                    "stage": stage,
                    "loss": _loss(parser, stage, two),
                    "epochs": epochs,
                    "iterations": parser.get_parsed_content("iterations_per_epoch"),
                    "batch": parser["volumes_per_batch"] * parser["crops_per_volume"],
                    "crop": parser.get_parsed_content("crop_size"),
                    "learning_rate": f"{parser['pretrain_learning_rate' if first else 'learning_rate']:g}",
                    "seed": parser["seed"],
                    "best_epoch": best,
                }
            )
    return rows


def _fidelity(record: dict[str, Any]) -> str:
    measured = {"pixel": "pixel stage", "final": "final"}
    return ", ".join(
        f"{name} {record['half_precision_psnr'][key]:.1f} dB"
        for key, name in measured.items()
        if key in record["half_precision_psnr"]
    )


def _taught(record: dict[str, Any]) -> list[str]:
    """How the released weights were taught to leave lesions, if they were."""
    if "lesson" not in record:
        return []
    lesson = record["lesson"]
    parts = [f"{lesson['iterations']} iterations, Adam from {lesson['learning_rate']:g}"]
    if lesson["share"]:
        parts.append(f"noise up to {lesson['greatest_noise']:g} in {lesson['share']:.0%} of the crops")
    if lesson["lesions"]:
        parts.append(f"the loss of lesions weighed {lesson['lesions']:g}")
    if lesson["mixture"] < 1:
        parts.append(f"then {lesson['mixture']:.0%} of it mixed with the pixel stage")
    return [", ".join(parts)]


def _loss(parser: ConfigParser, stage: str, two_stages: bool) -> str:
    if stage == "adversarial":
        return "as above"
    return str(parser["pretrain::loss::_target_" if two_stages else "loss::_target_"]).rpartition(".")[2]


def _best_epoch(log: Path, run: int, metric: str) -> tuple[int, int]:
    """Epochs of one run in a log, and the one whose metric is best."""
    with log.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["run"]) == run]
    scored = [(float(row[metric]), int(row["epoch"])) for row in rows if row[metric]]
    return len(rows), (max if metric == "val_psnr" else min)(scored)[1]


def main() -> int:
    """Write the cards, or with `--check` fail where a committed one is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a card is out of date")
    check = parser.parse_args().check
    texts = json.loads((PARTS / "cards.json").read_text(encoding="utf-8"))
    stale = []
    for network in texts["networks"]:
        for modality in texts["modalities"]:
            bundle = Bundle(BUNDLES / f"{network}_{modality}")
            path, text = bundle.root / "docs" / "README.md", card(bundle, network, modality, texts)
            if path.is_file() and path.read_text(encoding="utf-8") == text:
                continue
            stale.append(path.relative_to(BUNDLES.parent))
            if not check:
                path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{'out of date' if check else 'written'}: {path}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
