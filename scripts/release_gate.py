"""Say of bundles whether their weights may be released: one table of checks, and an exit code.

The images are the test parts of a folder's modalities, or a small fixed set of them: the middle of a few
slices of a few patients. Few are enough to see that a release is broken; the cards hold
what is measured on all of them. The limits stand beside each value.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
import torch

from monai_sr.bundle import Bundle, find_bundle
from monai_sr.errors import MonaiSRError
from monai_sr.evaluate import EvaluationItem
from monai_sr.io import open_volume
from monai_sr.splitting import split_dataset
from scripts.release_checks import (
    Candidate,
    Check,
    check_consistency,
    check_coverage,
    check_geometry,
    check_phantoms,
    check_precision,
    check_quality,
)

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
MANIFEST = "MANIFEST.csv"
HEADER = "| bundle | scale | check | found | limit | |\n|---|---|---|---|---|---|"


def released() -> list[str]:
    """Folders of the repository's bundles."""
    return [str(card.parents[1]) for card in sorted(BUNDLES.glob("*/configs/metadata.json"))]


def modality_of(bundle: Bundle) -> str:
    """The last part of a bundle's name, as of the folder of its images."""
    return bundle.name.rpartition("_")[2]


def read_test_part(
    data: Path, modality: str, max_patients: int | None, max_files: int | None
) -> list[EvaluationItem]:
    """The test part of a modality.

    Args:
        data: folder of a folder for each modality, and of a manifest with the columns that
            `monai-sr split` reads.
        modality: name of the folder.
        max_patients: at most so many, evenly spaced; None for all.
        max_files: the first so many of each patient; None for all.

    Returns:
        The items.

    Raises:
        InputError: if the folder or its manifest cannot be used.
    """
    files: dict[str, list[EvaluationItem]] = {}
    for item in split_dataset(data / modality, manifest=data / MANIFEST)["test"]:
        path = data / modality / item["label"]
        files.setdefault(item["patient"], []).append(EvaluationItem(path, item["patient"]))
    # Those of one source follow each other: the first would be alike.
    patients = list(files.values())
    return [item for index in _evenly(len(patients), max_patients) for item in patients[index][:max_files]]


def crop(
    items: Sequence[EvaluationItem], folder: Path, side: int | None, max_slices: int | None
) -> list[EvaluationItem]:
    """Keep the middle of a few slices of each file, as files that every check reads.

    Args:
        items: what is cropped.
        folder: new, for the cropped files.
        side: most rows and columns; None for all.
        max_slices: at most so many, evenly spaced; None for all.

    Returns:
        The cropped items, of the same patients.
    """
    cropped = []
    folder.mkdir()
    for number, item in enumerate(items):
        volume = open_volume(item.path)
        count, *sides = volume.array.shape
        rows, columns = (
            slice(start := max(size - (side or size), 0) // 2, start + (side or size)) for size in sides
        )
        frames = [
            volume.real_frame(index)[rows, columns].astype(np.float32) for index in _evenly(count, max_slices)
        ]
        path = folder / f"{number:03d}.nii"
        nib.save(nib.Nifti1Image(np.stack(frames, axis=-1), np.eye(4)), path)
        cropped.append(EvaluationItem(path, item.patient))
    return cropped


def gate(name: str, scale: int, items: Sequence[EvaluationItem]) -> list[Check]:
    """Every check of one bundle at one scale; what cannot be used fails. Stderr is told how long it took.

    Args:
        name: name or folder of a bundle.
        scale: scale factor.
        items: test images of its modality.

    Returns:
        The checks.
    """
    began = time.process_time()
    try:
        candidate = Candidate.load(find_bundle(name), scale)
        found = [
            *check_quality(candidate, items),
            *check_consistency(candidate, items),
            *check_coverage(candidate, items),
            *check_phantoms(candidate),
            *check_geometry(candidate),
            *check_precision(candidate),
        ]
    except MonaiSRError as error:
        found = [Check(str(error), "", "", False)]
    took = time.process_time() - began
    print(f"{Path(name).name} x{scale}: {took:.0f} s of CPU", file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Check bundles; the exit code is 1 where one check does not hold, 2 where nothing can be checked."""
    arguments = _arguments()
    print(HEADER, flush=True)
    failed = 0
    try:
        bundles = [find_bundle(name) for name in arguments.bundles or released()]
        with TemporaryDirectory() as folder:
            sets = {
                modality: crop(
                    read_test_part(arguments.data, modality, arguments.max_patients, arguments.max_files),
                    Path(folder) / modality,
                    arguments.side,
                    arguments.max_slices,
                )
                for modality in sorted({modality_of(bundle) for bundle in bundles})
            }
            jobs = list(product(bundles, arguments.scales))
            for (bundle, scale), checks in zip(jobs, _run(jobs, sets, arguments.workers), strict=True):
                for check in checks:
                    failed += not check.holds
                    told = "holds" if check.holds else "**FAILS**"
                    cells = bundle.name, f"{scale}", check.what, check.value, check.limit, told
                    print(f"| {' | '.join(cells)} |", flush=True)
    except MonaiSRError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{failed} check{'s' * (failed > 1)} failed" if failed else "every check holds", file=sys.stderr)
    return int(failed > 0)


def _run(
    jobs: Sequence[tuple[Bundle, int]], sets: Mapping[str, list[EvaluationItem]], workers: int
) -> Iterator[list[Check]]:
    """The checks of each job, in order, side by side."""
    # Much of it is not the network, and runs on one core whatever the threads.
    threads = max(1, torch.get_num_threads() // workers)
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        roots = [str(bundle.root) for bundle, _ in jobs]
        scales = [scale for _, scale in jobs]
        yield from pool.map(gate, roots, scales, [sets[modality_of(bundle)] for bundle, _ in jobs])


def _evenly(count: int, most: int | None) -> list[int]:
    """Numbers from 0 to `count` - 1: the middle of each of `most` equal stretches, or all."""
    kept = min(count, most or count)
    return [int((index + 0.5) * count / kept) for index in range(kept)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE", help="names or folders; all by default")
    parser.add_argument(
        "--data", type=Path, required=True, help=f"folder of mri/, oct/, xray/ and {MANIFEST}"
    )
    parser.add_argument("--scales", nargs="+", type=int, default=[2, 4], help="2 and 4 by default")
    parser.add_argument("--side", type=_at_least_1, help="most rows and columns of a slice; all by default")
    parser.add_argument("--max-patients", type=_at_least_1, help="evenly spaced ones; all by default")
    parser.add_argument("--max-files", type=_at_least_1, help="the first of each patient; all by default")
    parser.add_argument("--max-slices", type=_at_least_1, help="evenly spaced, of each file; all by default")
    parser.add_argument("--workers", type=_at_least_1, default=1, help="processes; 1 by default")
    return parser.parse_args()


def _at_least_1(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
