"""Tables of an evaluation: CSV for a spreadsheet, JSON for a program, Markdown for a reader."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from monai_sr.evaluate.statistics import Estimate, ImageScore, PatientScore

Summary = Mapping[str, Mapping[str, Estimate]]

DECIMALS = {"psnr": 2, "spectrum_error": 2, "spectrum_error_high": 2}
DEFAULT_DECIMALS = 4


def write_image_table(scores: Sequence[ImageScore], path: Path) -> None:
    """Write one row a slice and method as CSV.

    Args:
        scores: at least one.
        path: file to write.
    """
    _write_csv(
        ("patient", "file", "frame", "method", *scores[0].scores),
        ((s.patient, s.file, s.frame, s.method, *map(_cell, s.scores.values())) for s in scores),
        path,
    )


def write_patient_table(scores: Sequence[PatientScore], path: Path) -> None:
    """Write one row a patient and method as CSV.

    Args:
        scores: at least one.
        path: file to write.
    """
    _write_csv(
        ("patient", "method", "n_images", *scores[0].scores),
        ((s.patient, s.method, s.n_images, *map(_cell, s.scores.values())) for s in scores),
        path,
    )


def write_json(
    summary: Summary,
    differences: Summary,
    patients: Sequence[PatientScore],
    conventions: Mapping[str, str],
    counts: Mapping[str, int],
    path: Path,
) -> None:
    """Write everything but the single slices as JSON, in which a missing value is null.

    Args:
        summary: method -> metric -> mean over patients.
        differences: method -> metric -> mean paired difference to bicubic.
        patients: mean scores of every patient.
        conventions: how the numbers came about.
        counts: how many patients, files and slices.
        path: file to write.
    """
    content = {
        "methods": _plain(summary),
        "differences_to_bicubic": _plain(differences),
        "patients": [{**asdict(s), "scores": {k: _number(v) for k, v in s.scores.items()}} for s in patients],
        "counts": dict(counts),
        "conventions": dict(conventions),
    }
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_markdown(
    summary: Summary,
    differences: Summary,
    metric_titles: Mapping[str, str],
    conventions: Mapping[str, str],
    path: Path,
) -> None:
    """Write the report that a reader opens first.

    Args:
        summary: method -> metric -> mean over patients.
        differences: method -> metric -> mean paired difference to bicubic.
        metric_titles: metric -> heading of its column.
        conventions: how the numbers came about.
        path: file to write.
    """
    lines = [
        "# Evaluation",
        "",
        "Mean over patients [95% confidence interval].",
        "",
        *markdown_table(summary, metric_titles),
        "",
        "## Paired difference to bicubic",
        "",
        *markdown_table(differences, metric_titles, signed=True),
        "",
        "## Conventions",
        "",
        *(f"- **{name}**: {text}" for name, text in conventions.items()),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def markdown_table(summary: Summary, metric_titles: Mapping[str, str], signed: bool = False) -> list[str]:
    """Lines of a Markdown table with one row a method.

    Args:
        summary: method -> metric -> estimate.
        metric_titles: metric -> heading; their order is the columns'.
        signed: whether positive numbers get a plus sign.

    Returns:
        The lines.

    Example:
        >>> table = {"bicubic": {"psnr": Estimate(30.0, 29.0, 31.0, 3)}}
        >>> markdown_table(table, {"psnr": "PSNR (dB)"})[-1]
        '| bicubic | 30.00 [29.00, 31.00] |'
    """
    return [
        f"| method | {' | '.join(metric_titles.values())} |",
        "|---" * (len(metric_titles) + 1) + "|",
        *(
            f"| {method} | {' | '.join(estimate_cells(metrics, metric_titles, signed))} |"
            for method, metrics in summary.items()
        ),
    ]


def estimate_cells(metrics: Mapping[str, Estimate], names: Iterable[str], signed: bool) -> Iterator[str]:
    """Texts of one method's estimates.

    Args:
        metrics: metric -> estimate.
        names: which metrics, in the order of the cells.
        signed: whether positive numbers get a plus sign.

    Yields:
        One text a metric, such as `30.00 [29.00, 31.00]`.
    """
    n_patients = max((estimate.n_patients for estimate in metrics.values()), default=0)
    for name in names:
        text = _estimate(metrics[name], name, signed)
        # A metric that does not apply to some patients must not pass for one over all of them.
        fewer = 0 < metrics[name].n_patients < n_patients
        yield f"{text} ({metrics[name].n_patients} of {n_patients} patients)" if fewer else text


def _estimate(estimate: Estimate, metric: str, signed: bool) -> str:
    if math.isnan(estimate.mean):
        return "n/a"
    spec = f"{'+' if signed else ''}.{DECIMALS.get(metric, DEFAULT_DECIMALS)}f"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:{spec}}"
    return f"{estimate.mean:{spec}} [{estimate.low:{spec}}, {estimate.high:{spec}}]"


def _plain(summary: Summary) -> dict[str, dict[str, object]]:
    return {
        method: {
            metric: {**asdict(estimate), "mean": _number(estimate.mean)}
            for metric, estimate in metrics.items()
        }
        for method, metrics in summary.items()
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"


def _write_csv(header: Sequence[str], rows: Iterable[Sequence[object]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
