"""How often the domain guard speaks where it should, and where not, on patients it was not measured on.

Of every file of the test parts, as it is and made coarser by the modality's degradation: held against its own
modality's domain, against the others', and with a sampling twice outside. Only pixels, size and spacing
speak: no header names the modality. The numbers are kept in domain.json, beside this script.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from monai_sr.bundle import find_bundle
from monai_sr.data import load_part
from monai_sr.degradation import KERNELS, gaussian_blur
from monai_sr.io import read_volume
from monai_sr.survey import survey
from monai_sr.trust import DomainGuard, Findings
from monai_sr.trust.domain import Domain
from monai_sr.volume import Volume
from scripts.measure_domain import FACTS, SCALES, coarser, sampled

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = Path(__file__).with_suffix(".json")
PAGE = ROOT / "docs" / "howto" / "domain.md"
COMMAND = "python -m scripts.benchmarks.domain --datalists mri=MRI.json oct=OCT.json xray=XRAY.json"
START, END = "<!-- rates: scripts/benchmarks/domain.py writes this part -->", "<!-- end of rates -->"

IN_DOMAIN = "in the domain"
BETWEEN = "sampled less than twice outside"
OTHER = "another modality"
SAMPLING = "sampled twice outside"
FIT = "of the degradation"
_EXPECTED = {True: "yes", False: "no", None: "either"}
BLUR = 1.0
"""Standard deviation in pixels."""


@dataclass(frozen=True)
class Trial:
    """One volume held against one bundle.

    Args:
        question: what is asked: `domain` or `degradation`.
        case: what kind of volume it is.
        expected: whether it is to be flagged; None if either is right.
        kind: modality of the volume.
        against: modality of the bundle.
        scale: scale factor of the bundle.
        flagged: whether it was.
        file: number of the file in the test part.
    """

    question: str
    case: str
    expected: bool | None
    kind: str
    against: str
    scale: int
    flagged: bool
    file: int


def trials(kind: str, datalist: str) -> Iterator[Trial]:
    """Every trial of one modality's test files.

    Args:
        kind: the modality.
        datalist: its datalist JSON.

    Yields:
        The trials.
    """
    cards = {name: find_bundle(ROOT / "bundles" / f"edsr_{name}").card for name in FACTS}
    domain, kernel = Domain.from_card(cards[kind]), cards[kind]["degradation_kernel"]
    if domain is None:
        raise SystemExit(f"the bundles of {kind} state no domain: run scripts/measure_domain.py first")
    for number, item in enumerate(load_part(datalist, "test")):
        high = sampled(read_volume(item["label"]))
        for scale in SCALES:
            low = coarser(high, kernel, scale)

            def held(volume: Volume, against: str = kind, scale: int = scale) -> Findings:
                card = cards[against]
                guard = DomainGuard.of_bundle(card, scale, card["degradation_kernel"], False, False)
                return guard(volume, survey(volume)[0])

            def trial(
                case: str, expected: bool | None, found: Any, question: str = "domain", against: str = kind,
                scale: int = scale, number: int = number,
            ) -> Trial:  # fmt: skip
                return Trial(question, case, expected, kind, against, scale, bool(found), number)

            for volume in (low, high):
                off = excess(volume, domain, scale)
                if off == 1:
                    yield trial(IN_DOMAIN, False, held(volume).outside)
                elif off < 2:
                    yield trial(BETWEEN, None, held(volume).outside)
                else:
                    yield trial(SAMPLING, True, held(volume).outside)
            for other in FACTS:
                if other != kind:
                    for volume in (low, high):
                        yield trial(OTHER, True, held(volume, other).outside, against=other)
            for volume in outside(low, domain, scale):
                yield trial(SAMPLING, True, held(volume).outside)
            yield trial(FIT, False, held(low).misfit, "degradation")
            for case, volume in unfit(high, low, kernel, scale):
                yield trial(case, True, held(volume).misfit, "degradation")


def excess(volume: Volume, domain: Domain, scale: int) -> float:
    """How many times outside what the coarser training images had an image's sampling lies; 1 within."""
    if domain.pixel_spacing_mm is None:
        low, high = (size / scale for size in domain.rows_columns)
        seen: tuple[float, ...] = volume.array.shape[1:]
    else:
        low, high = (spacing * scale for spacing in domain.pixel_spacing_mm)
        seen = volume.spacing[:2]
    return max(1.0, low / min(seen), max(seen) / high)


def outside(volume: Volume, domain: Domain, scale: int) -> Iterator[Volume]:
    """An image with pixels twice finer and twice coarser than any in training."""
    if domain.pixel_spacing_mm is not None:
        low, high = (spacing * scale for spacing in domain.pixel_spacing_mm)
        for wanted, seen in ((low / 2, max(volume.spacing[:2])), (high * 2, min(volume.spacing[:2]))):
            ratio = wanted / seen
            yield replace(volume, affine=volume.affine @ np.diag([ratio, ratio, 1, 1]))
        return
    low, high = (size / scale for size in domain.rows_columns)
    shape = volume.array.shape[1:]
    for ratio in (low / 2 / min(shape), high * 2 / max(shape)):
        frames = torch.from_numpy(np.asarray(volume.array, np.float32))[:, None]
        size = [round(length * ratio) for length in shape]
        resized = F.interpolate(frames, size=size, mode="bicubic", antialias=True)[:, 0].numpy()
        yield stored(volume, resized)


def unfit(high: Volume, low: Volume, kernel: str, scale: int) -> Iterator[tuple[str, Volume]]:
    """Images that the degradation did not make."""
    for other in KERNELS:
        if other != kernel:
            yield f"of another degradation, {other}", coarser(high, other, scale)
    frames = np.asarray(low.array, np.float32)
    rows, columns = (size // 4 for size in frames.shape[1:])
    spectrum = np.fft.fftshift(np.fft.fft2(frames), axes=(1, 2))
    middle = [size // 2 for size in frames.shape[1:]]
    kept = np.zeros_like(spectrum)
    there = np.s_[:, middle[0] - rows : middle[0] + rows, middle[1] - columns : middle[1] + columns]
    kept[there] = spectrum[there]
    filled = np.fft.ifft2(np.fft.ifftshift(kept, axes=(1, 2))).real
    yield "already interpolated twofold, by zero-filling", stored(low, filled)
    yield (
        f"blurred by a Gaussian of {BLUR:g} pixel",
        stored(low, gaussian_blur(torch.from_numpy(frames), BLUR).numpy()),
    )


def stored(volume: Volume, frames: np.ndarray) -> Volume:
    """A volume of other frames, in the type and range of its values."""
    array = np.asarray(volume.array)
    frames = frames.clip(array.min(), array.max())
    if np.issubdtype(array.dtype, np.integer):
        frames = frames.round()
    return replace(volume, array=frames.astype(array.dtype))


def domains_sha256() -> str:
    """Hash of the domains that the bundles state."""
    parts = (json.dumps(find_bundle(ROOT / "bundles" / f"edsr_{kind}").card["domain"]) for kind in FACTS)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def summarise(found: list[Trial]) -> list[dict[str, Any]]:
    """A row for each question, case and modality: how many trials there were, and how many were flagged."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for trial in found:
        row = rows.setdefault(
            (trial.question, trial.case, trial.kind),
            {
                "question": trial.question,
                "case": trial.case,
                "images": trial.kind,
                "expected": trial.expected,
                "files": set(),
                "trials": 0,
                "flagged": 0,
            },
        )
        row["files"].add(trial.file)
        row["trials"] += 1
        row["flagged"] += trial.flagged
    return [row | {"files": len(row["files"])} for row in rows.values()]


def table(rows: list[dict[str, Any]], question: str) -> str:
    """Markdown table of the answers to one question, all modalities together in the last column."""
    cases = dict.fromkeys(row["case"] for row in rows if row["question"] == question)
    kinds = list(dict.fromkeys(row["images"] for row in rows))
    lines = [f"| images | to be flagged | {' | '.join(kinds)} | all |", "|---" * (len(kinds) + 3) + "|"]
    for case in cases:
        own = [row for row in rows if (row["question"], row["case"]) == (question, case)]
        cells = [_rate([row for row in own if row["images"] == kind]) for kind in kinds]
        lines.append(f"| {case} | {_EXPECTED[own[0]['expected']]} | {' | '.join(cells)} | {_rate(own)} |")
    return "\n".join(lines)


def _rate(rows: list[dict[str, Any]]) -> str:
    trials, flagged = (sum(row[key] for row in rows) for key in ("trials", "flagged"))
    return f"{flagged} of {trials} ({flagged / trials:.0%})" if trials else "none"


def page(kept: dict[str, Any]) -> str:
    """The page with the tables of the kept numbers in place."""
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    rates = (
        f"What was flagged as outside the domain:\n\n{table(kept['rows'], 'domain')}\n\n"
        f"Whose degradation was said not to fit:\n\n{table(kept['rows'], 'degradation')}\n\n"
        f"Made by `{kept['command']}`."
    )
    return f"{before}{START}\n{rates}\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Measure and write, or with `--check` compare what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--datalists",
        nargs="+",
        default=[],
        metavar="MODALITY=FILE",
        help="datalist JSON of each modality, whose test part is taken: mri=mri.json oct=oct.json xray=...",
    )
    parser.add_argument(
        "--check", action="store_true", help="measure nothing; fail if the page is out of date"
    )
    arguments = parser.parse_args()
    if arguments.check:
        kept = json.loads(NUMBERS.read_text(encoding="utf-8"))
        faults = []
        if kept["domains_sha256"] != domains_sha256():
            faults.append(f"{NUMBERS.name} was measured with other domains than the bundles state")
        if page(kept) != PAGE.read_text(encoding="utf-8"):
            faults.append(f"{PAGE.relative_to(ROOT)} does not show the tables of {NUMBERS.name}")
        print(*faults, sep="\n", end="\n" if faults else "")
        return bool(faults)
    if not arguments.datalists:
        parser.error("--datalists are needed to measure")
    logging.getLogger("monai_sr").setLevel(logging.ERROR)
    datalists = dict(pair.split("=", 1) for pair in arguments.datalists)
    found = [trial for kind, datalist in datalists.items() for trial in trials(kind, datalist)]
    kept = {"command": COMMAND, "domains_sha256": domains_sha256(), "rows": summarise(found)}
    NUMBERS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(kept), encoding="utf-8")
    print(table(kept["rows"], "domain"), table(kept["rows"], "degradation"), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
