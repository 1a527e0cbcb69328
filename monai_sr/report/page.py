"""A page to look at results in: one HTML file, which holds all that it shows and asks no network."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import jinja2
import numpy as np

from monai_sr.errors import InputError
from monai_sr.intervals import IntervalWidth
from monai_sr.io.atomic import atomic_file
from monai_sr.io.display import Display, display_of
from monai_sr.report.comparison import Encoded
from monai_sr.report.inline import ASSETS, content_hash, script, style, template
from monai_sr.report.layers import drawn_layers
from monai_sr.report.slices import Interpolation, encode_volumes
from monai_sr.report.windows import choose_windows, wide
from monai_sr.volume import Consistency, Frames, Provenance, Volume

SCRIPTS = ("decode", "window", "view", "hand", "plots", "report")
"""In the order in which each needs those before it."""

TITLE = "Super-resolution report"
LISTED = 500
"""Slices that a page lists, those that agree least with their sources."""

BRIGHT = 98
"""Percentile of the differences that is drawn in full colour."""


@dataclass(frozen=True)
class Illustration:
    """A figure for a page.

    Args:
        caption: what it shows.
        description: the same for who does not see it, with its numbers.
        png: the file.
    """

    caption: str
    description: str
    png: bytes


@dataclass(frozen=True)
class Table:
    """Scores for a page.

    Args:
        caption: what it shows.
        header: of the columns; the first is of the rows' names.
        rows: the cells, the first of each being its name.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def check_page(path: Path, overwrite: bool = False) -> None:
    """Refuse, before any work is done, a page that cannot be written.

    Args:
        path: the file.
        overwrite: whether an earlier one may be replaced.

    Raises:
        InputError: with the reason and the remedy.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path} must be a page: let its name end in .html.")
    if not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} does not exist: make it first.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"The folder {path.parent} cannot be written to: name another one for the report.")
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise InputError(f"{path} is no file: name another one for the report.")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; name another file or add --overwrite.")


def write_report(
    path: Path,
    low: Volume,
    high: Volume,
    provenance: Provenance,
    *,
    interpolate: Interpolation,
    consistency: Mapping[int, Consistency] = MappingProxyType({}),
    findings: Sequence[str] = (),
    compared: str = "",
    interval: IntervalWidth | None = None,
    half_width: Frames | None = None,
    title: str = TITLE,
    overwrite: bool = False,
) -> None:
    """Write a page that shows a volume before and after.

    It holds pixels of evenly chosen slices and what made them, and nothing else of the files: no name, no
    identifier, no date, no path. Frames are read one at a time.

    Args:
        path: file to write, ending in .html.
        low: as it was read.
        high: the super-resolved volume, `provenance.scale_factor` times finer.
        provenance: what made it.
        interpolate: from frames [n, rows, columns] and a scale factor to the finer frames that
            super-resolution is compared with, such as `monai_sr.evaluate.bicubic`.
        consistency: of the frames that were compared with their sources, by index.
        findings: what speaks against the result, each a clause.
        compared: what was compared with the training images, with its numbers; empty for nothing.
        interval: how wide the intervals about its pixels are.
        half_width: of each of them, in real values, of the shape of `high.array`; 0 where there is no image.
        title: heading; must not name a patient.
        overwrite: replace an earlier page.

    Raises:
        InputError: if `path` is not allowed, or a file turns out to be damaged.
        ValueError: if the volumes do not fit each other.
        MonaiSRError: if the disk refuses; nothing is left half-written.
    """
    check_page(path, overwrite)
    notes = {index: f"{str(found).capitalize()}." for index, found in consistency.items()}
    slices, shown = encode_volumes(low, high, provenance.scale_factor, interpolate, half_width, notes)
    facts = describe(low, provenance) | {"Shown": shown, "Training images": _fit(findings, compared)}
    facts["Compared with them"] = compared
    tables = []
    if found := Consistency.over(consistency.values()):
        facts["Agreement with the source"] = str(found).capitalize()
        tables.append(_agreement(consistency))
    if interval:
        facts["Uncertainty"] = str(interval).capitalize()
    display = display_of(low)
    write_page(
        path,
        slices,
        title=title,
        facts=facts,
        tables=tables,
        display=display,
        first=len(slices) // 2,
        doubtful=bool(findings),
    )


def write_page(
    path: Path,
    slices: Sequence[Encoded],
    *,
    title: str,
    facts: Mapping[str, str],
    tables: Sequence[Table] = (),
    illustrations: Sequence[Illustration] = (),
    conventions: Mapping[str, str] | None = None,
    display: Display | None = None,
    first: int = 0,
    doubtful: bool = False,
) -> None:
    """Write a page of slices by several methods.

    Args:
        path: file to write, replaced if it exists.
        slices: at least one; all of them with a target, or none.
        title: heading; must not name a patient.
        facts: what made the images; name -> text.
        tables: scores.
        illustrations: figures, shown below the scores.
        conventions: how the scores came about; name -> text.
        display: how the images ask to be shown.
        first: which slice is shown first, from 0.
        doubtful: whether something speaks against the result, which the page then says at its head.

    Raises:
        MonaiSRError: if the disk refuses; nothing is left half-written.
    """
    display = display or Display()
    extremes, layers = _extremes(slices), drawn_layers(slices)
    content = {
        "slices": [encoded.facts for encoded in slices],
        "windows": choose_windows(np.concatenate([encoded.values for encoded in slices]), extremes, display),
        "extremes": extremes,
        "difference": _difference(slices),
        "layers": {
            name: {"title": drawn.layer.title, "bounds": drawn.bounds} for name, drawn in layers.items()
        },
        "first": first,
        "inverted": display.inverted,
    }
    style_text, script_text = _style(), _script()
    stream = _template().stream(
        title=title,
        facts=facts,
        tables=tables,
        illustrations=[(shown, base64.b64encode(shown.png).decode("ascii")) for shown in illustrations],
        layers=layers,
        conventions=conventions or {},
        content=content,
        doubtful=doubtful,
        blocks=[(number, encoded.blocks) for number, encoded in enumerate(slices)],
        has_target="target" in slices[0].blocks,
        style=style_text,
        style_hash=content_hash(style_text),
        script=script_text,
        script_hash=content_hash(script_text),
        licence=(ASSETS / "vendor" / "uPlot.LICENSE").read_text(encoding="utf-8"),
    )
    with atomic_file(path) as file:
        stream.dump(str(file), encoding="utf-8")


def describe(low: Volume, provenance: Provenance) -> dict[str, str]:
    """What made a volume, and its size, for a reader.

    Args:
        low: before.
        provenance: what made it finer.

    Returns:
        Name -> text.
    """
    count, rows, columns = low.array.shape
    scale = provenance.scale_factor
    return {
        "Bundle": f"{provenance.bundle} {provenance.bundle_version}",
        "Weights (SHA-256)": provenance.weights_sha256,
        "Scale factor": f"{scale}, in plane",
        "Computed by": provenance.computation,
        "Software": f"monai-sr {provenance.software_version}",
        "Method": provenance.description,
        "Size before": f"{count} x {rows} x {columns} (slices x rows x columns)",
        "Size after": f"{count} x {rows * scale} x {columns * scale}",
    }


def _fit(findings: Sequence[str], compared: str) -> str:
    """Whether a volume suits the bundle, for a reader."""
    if findings:
        return f"What speaks against the result: {'; '.join(findings)}"
    return "The image fits" if compared else "Not compared: the bundle states no domain"


def _agreement(consistency: Mapping[int, Consistency]) -> Table:
    """How each slice agrees with its source, the worst first."""
    worst = sorted(consistency.items(), key=lambda item: -item[1].rms)[:LISTED]
    return Table(
        f"Agreement of slices with their sources, degraded again ({worst[0][1].kernel}), in stored units",
        ("slice", "largest difference", "RMS", "enforced"),
        [
            (str(index + 1), f"{found.largest:.3g}", f"{found.rms:.3g}", "yes" if found.enforced else "no")
            for index, found in worst
        ],
    )


def _extremes(slices: Sequence[Encoded]) -> list[float]:
    return wide(
        min(encoded.extremes[0] for encoded in slices), max(encoded.extremes[1] for encoded in slices)
    )


def _difference(slices: Sequence[Encoded]) -> float:
    differences = np.concatenate([encoded.differences for encoded in slices])
    # Where nothing differs, as around a body, says nothing of how large differences are.
    differences = differences[differences > 0]
    return float(np.percentile(differences, BRIGHT)) if differences.size else 0.0


@cache
def _template() -> jinja2.Template:
    return template("report.html.j2")


@cache
def _style() -> str:
    return style(ASSETS / "vendor" / "uPlot.min.css", ASSETS / "report.css")


@cache
def _script() -> str:
    own = [ASSETS / f"{name}.js" for name in SCRIPTS]
    return script(own, libraries=[ASSETS / "vendor" / "uPlot.iife.min.js"])
