"""Compile the bundles from their parts: complete, self-contained JSON that needs no other file."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from itertools import product
from pathlib import Path

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
PARTS = BUNDLES / "_parts"
CARD = "configs/metadata.json"


def bundle_files(recipes: dict, network: str, modality: str) -> dict[str, list[str]]:
    """The generated files of one bundle, and the parts that each is merged from, in order."""
    names = {"network": network, "modality": modality, "training": recipes["networks"][network]["training"]}
    files = recipes["files"] | recipes["extra_files"].get(network, {})
    return {target: [part.format(**names) for part in parts] for target, parts in files.items()}


def compile_bundle(recipes: dict, network: str, modality: str) -> dict[Path, str]:
    """Text of every generated file of one bundle.

    Args:
        recipes: content of `recipes.json`. Each entry of a network or a modality replaces its name in braces
            wherever that stands in a part.
        network: key of its networks.
        modality: key of its modalities.

    Returns:
        Path -> text.
    """
    name = f"{network}_{modality}"
    values = {"bundle": name} | recipes["networks"][network] | recipes["modalities"][modality]
    texts = {}
    for target, names in bundle_files(recipes, network, modality).items():
        parts = [(PARTS / part).read_text(encoding="utf-8") for part in names]
        if target.endswith(".json"):
            # Merged as plain JSON: in an overlay, keys such as `train::sampler` point into another file.
            merged = {key: value for part in parts for key, value in json.loads(part).items()}
            if target == CARD:
                merged["weights_sha256"] = {
                    file.name: hashlib.sha256(file.read_bytes()).hexdigest()
                    for file in sorted((BUNDLES / name / "models").glob("*.pt"))
                }
                merged |= measured_precisions(BUNDLES / name, merged["weights_sha256"])
                merged |= calibrated_intervals(BUNDLES / name, merged["weights_sha256"])
            text = json.dumps(merged, indent=4, ensure_ascii=False) + "\n"
        else:
            text = "".join(parts)
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", value)
        texts[BUNDLES / name / target] = text
    return texts


def measured_precisions(bundle: Path, hashes: dict[str, str]) -> dict[str, dict]:
    """The card's entry on precisions below float32, of those weights alone that were measured."""
    file = bundle / "docs" / "precision.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    stated = {
        scale: found["measured"]
        for scale, found in kept.items()
        if found["weights_sha256"].items() <= hashes.items()
    }
    return {"precision": stated} if stated else {}


def calibrated_intervals(bundle: Path, hashes: dict[str, str]) -> dict[str, dict]:
    """The card's entry on intervals, of those weights alone that they were calibrated for."""
    file = bundle / "docs" / "intervals.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    stated = {
        scale: found for scale, found in kept.items() if found["weights_sha256"].items() <= hashes.items()
    }
    return {"intervals": stated} if stated else {}


def main() -> int:
    """Write the bundles, or with `--check` fail where a committed file is not what its parts give."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file is out of date"
    )
    check = arguments.parse_args().check
    recipes = json.loads((PARTS / "recipes.json").read_text(encoding="utf-8"))
    stale = []
    for network, modality in product(recipes["networks"], recipes["modalities"]):
        for path, text in compile_bundle(recipes, network, modality).items():
            if path.is_file() and path.read_text(encoding="utf-8") == text:
                continue
            stale.append(path.relative_to(BUNDLES.parent))
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{'out of date' if check else 'written'}: {path}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
