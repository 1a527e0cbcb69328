"""The page of an evaluation: its tables, and a few of its slices to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from monai_sr.evaluate.examples import Example, Frames
from monai_sr.evaluate.tables import Summary, estimate_cells
from monai_sr.report import Comparison, Encoded, Picture, Table, encode, limit, write_page
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

    def picture(values: Frames) -> Picture:
        return Picture(np.rint(values * DEPTH).astype(np.uint16), slope=1 / DEPTH)

    finer = picture(example.bicubic), picture(example.sr), picture(example.high)
    # The low-resolution image alone may leave [0, 1]: its kernel may overshoot.
    return encode(Comparison(f"{kind.capitalize()} slice of {example.title}", Picture(example.low), *finer))


def write_evaluation_page(
    path: Path,
    slices: Sequence[Encoded],
    tables: Mapping[str, tuple[Summary, bool]],
    metric_titles: Mapping[str, str],
    facts: Mapping[str, str],
    conventions: Mapping[str, str],
) -> None:
    """Write the page.

    Args:
        path: file to write.
        slices: at least one.
        tables: caption -> method -> metric -> estimate, and whether positive numbers get a sign.
        metric_titles: metric -> heading.
        facts: what was evaluated; name -> text.
        conventions: how the numbers came about; name -> text.
    """
    shown = limit(list(slices))
    header = ("method", *metric_titles.values())
    write_page(
        path,
        shown,
        title="Evaluation of super-resolution",
        facts={
            **facts,
            "Shown": f"{len(shown)} slices: by each method the worst one of all, and the median one of some "
            "patients, by the gain in PSNR over bicubic",
            "Values": f"each volume from its least, 0, to its greatest, 1; in this page rounded to 1/{DEPTH}",
        },
        tables=[
            Table(
                caption,
                header,
                [
                    (name, *estimate_cells(metrics, metric_titles, signed))
                    for name, metrics in summary.items()
                ],
            )
            for caption, (summary, signed) in tables.items()
        ],
        conventions=conventions,
    )
