"""Compile the bundles from their parts: complete, self-contained JSON that needs no other file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from monai.bundle import ConfigParser

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
PARTS = BUNDLES / "_parts"


def compile_bundle(name: str, files: dict[str, dict]) -> dict[Path, str]:
    """Text of every generated file of one bundle.

    Args:
        name: the bundle's name.
        files: generated file -> {"parts": part files in order, "overrides": id -> value}.

    Returns:
        Path -> text.
    """
    texts = {}
    for target, recipe in files.items():
        parts = [PARTS / part for part in recipe["parts"]]
        if target.endswith(".json"):
            # Merged as plain JSON: in an overlay, keys such as `train::sampler` point into another file.
            parser = ConfigParser(
                {
                    key: value
                    for part in parts
                    for key, value in json.loads(part.read_text(encoding="utf-8")).items()
                }
            )
            for key, value in recipe.get("overrides", {}).items():
                parser.set(value, key)
            texts[BUNDLES / name / target] = json.dumps(parser.get(), indent=4, ensure_ascii=False) + "\n"
        else:
            texts[BUNDLES / name / target] = "".join(part.read_text(encoding="utf-8") for part in parts)
    return texts


def main() -> int:
    """Write the bundles, or with `--check` fail where a committed file is not what its parts give."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file is out of date"
    )
    check = arguments.parse_args().check
    recipes = json.loads((PARTS / "recipes.json").read_text(encoding="utf-8"))
    stale = []
    for name, files in recipes.items():
        for path, text in compile_bundle(name, files).items():
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
