"""The page of an evaluation: its tables, and a few of its slices to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from monai_sr.evaluate.examples import Example, Frames
from monai_sr.evaluate.hallucination import HALLUCINATION_METRICS, Suspect
from monai_sr.evaluate.tables import Summary, estimate_cells
from monai_sr.report import (
    Comparison,
    Encoded,
    Illustration,
    Picture,
    Table,
    encode,
    limit,
    roc_figure,
    save_figure,
    write_page,
)
from monai_sr.report.slices import MAX_SLICES

DEPTH = 2**16 - 1


def shown_patients(n_patients: int, n_upscalers: int) -> set[int]:
    """Numbers of the patients whose median slices a page has room for, evenly spaced, from 1.

    Args:
        n_patients: how many there are.
        n_upscalers: how many slices each shows, and how many more show the worst.

    Returns:
        At least one number.

    Example:
        >>> sorted(shown_patients(100, 6))
        [17, 51, 84]
    """
    room = min(n_patients, max(MAX_SLICES // n_upscalers - 1, 1))
    return {int((number + 0.5) * n_patients / room) + 1 for number in range(room)}


def encode_example(example: Example, kind: str) -> Encoded:
    """An example as a page holds it: at 16 bits, since a browser's screen and a reader need no more.

    Args:
        example: the slice.
        kind: `worst` or `median`.

    Returns:
        Its text.
    """
    label = f"{kind.capitalize()} slice of {example.title}"
    return encode(_compare(label, example.low, example.bicubic, example.sr, example.high))


def encode_suspect(suspect: Suspect) -> Encoded:
    """A slice of which much was made up as a page holds it, with the maps of where.

    Args:
        suspect: the slice.

    Returns:
        Its text.
    """
    scale_factor = suspect.target.shape[0] // suspect.low.shape[0]
    told = ", ".join(
        f"{HALLUCINATION_METRICS[name]} {value:.3g}"
        for name, value in suspect.maps.scores().items()
        if np.isfinite(value)
    )
    images = suspect.low, suspect.interpolated, suspect.pred, suspect.target
    comparison = replace(
        _compare(f"Most made up by {suspect.title}", *images),
        maps=suspect.maps.on_pixels(suspect.target.shape, scale_factor),
        note=f"Of this slice: {told or 'nothing differs'}.",
    )
    return encode(comparison)


def illustrate_lesions(placements: Mapping[str, Sequence[float]], path: Path) -> list[Illustration]:
    """Draw how surely lesions are found, pooled over all of them.

    Args:
        placements: of `HallucinationTests`.
        path: PNG to write.

    Returns:
        The figure for the page; none where no slice had a place for a lesion.
    """
    if not all(placements.values()):
        return []
    save_figure(roc_figure(placements), path)
    areas = ", ".join(f"{name} {1 - np.mean(values):.3f}" for name, values in placements.items())
    caption = "Lesion test: receiver operating characteristic, pooled over all lesions"
    return [Illustration(caption, f"{caption}. Area under the curve: {areas}.", path.read_bytes())]


def _compare(label: str, low: Frames, *finer: Frames) -> Comparison:
    bicubic, sr, target = (
        Picture(np.rint(image * DEPTH).astype(np.uint16), slope=1 / DEPTH) for image in finer
    )
    # The low-resolution image alone may leave [0, 1]: its kernel may overshoot.
    return Comparison(label, Picture(low), bicubic, sr, target)


def write_evaluation_page(
    path: Path,
    marked: Sequence[Encoded],
    medians: Sequence[Encoded],
    summary: Summary,
    differences: Summary,
    metric_titles: Mapping[str, str],
    facts: Mapping[str, str],
    conventions: Mapping[str, str],
    illustrations: Sequence[Illustration] = (),
) -> None:
    """Write the page.

    Args:
        path: file to write.
        marked: each method's worst slice, and where measured that of which it made up most; at least one.
        medians: slices of median gain.
        summary: method -> metric -> mean over patients.
        differences: method -> metric -> mean paired difference to bicubic.
        metric_titles: metric -> heading.
        facts: what was evaluated; name -> text.
        conventions: how the numbers came about; name -> text.
        illustrations: figures.
    """
    shown = limit([*marked, *medians], len(marked))
    made_up = {name: title for name, title in metric_titles.items() if name in HALLUCINATION_METRICS}
    quality = {name: title for name, title in metric_titles.items() if name not in made_up}
    tables = [
        Table(
            f"{subject}{caption}",
            ("method", *titles.values()),
            [(name, *estimate_cells(metrics, titles, signed)) for name, metrics in numbers.items()],
        )
        for subject, titles in (("", quality), ("What is made up: ", made_up))
        for caption, numbers, signed in (
            ("Mean over patients [95% confidence interval]", summary, False),
            ("Paired difference to bicubic", differences, True),
        )
        if titles
    ]
    most = ", the one of which it made up most" * bool(made_up)
    write_page(
        path,
        shown,
        title="Evaluation of super-resolution",
        facts={
            **facts,
            "Shown": f"{len(shown)} slices: by each method the worst one of all{most}, and the median one of "
            "some patients, by the gain in PSNR over bicubic",
            "Values": f"each volume from its least, 0, to its greatest, 1; in this page rounded to 1/{DEPTH}",
        },
        tables=tables,
        illustrations=illustrations,
        conventions=conventions,
    )
