"""Commands on bundles and their weights: `evaluate`, `bundles`, `blend` and `export`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from monai_sr.cli.common import (
    AlphaOption,
    DeviceOption,
    OverwriteOption,
    ScaleOption,
    TrustOption,
    WeightsOption,
    advance,
    chosen_bundle,
    console,
    progress_bar,
)
from monai_sr.errors import InputError

if TYPE_CHECKING:
    from monai_sr.evaluate.statistics import Estimate

WIDE = 1000
"""Columns of a table that is never cut."""


def evaluate(
    output: Annotated[Path, typer.Argument(help="Folder for tables and figures.")],
    bundles: Annotated[
        list[str] | None,
        typer.Option("--bundle", "-b", help="Name or folder of a bundle; repeat to compare several."),
    ] = None,
    scale_factor: ScaleOption = 2,
    datalist: Annotated[
        Path | None,
        typer.Option(help="Datalist JSON made by `monai-sr split`; the embedded sample's by default."),
    ] = None,
    part: Annotated[str, typer.Option(help="Part of the datalist: training, validation or test.")] = "test",
    kernel: Annotated[
        str, typer.Option(help="How low resolution is made: bicubic, kspace, binning or oct.")
    ] = "bicubic",
    max_slices: Annotated[
        int | None, typer.Option(min=1, help="Evenly spaced slices per volume; all by default.")
    ] = None,
    weights: WeightsOption = None,
    alpha: AlphaOption = None,
    vgg_weights: Annotated[
        str | None,
        typer.Option(
            help="VGG19's weights, a file or 'published': measure the distance of its features too."
        ),
    ] = None,
    hallucination: Annotated[
        bool,
        typer.Option(
            "--hallucination",
            help="Measure what is made up and left out, and what becomes of inserted lesions; takes longer.",
        ),
    ] = False,
    device: DeviceOption = "auto",
    trust: TrustOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Measure bundles against bicubic, Lanczos and B-spline, per patient and with intervals."""
    from monai_sr.evaluate import evaluate as run_evaluation
    from monai_sr.evaluate import make_degradation, read_datalist
    from monai_sr.metrics.feature_distance import VGG_LAYER
    from monai_sr.networks import VGG19Features
    from monai_sr.sample import sample_dataset_dir
    from monai_sr.upscaler import Upscaler

    names = [chosen_bundle(name, trust) for name in bundles or ["edsr_mri"]]
    if weights is not None and len(names) > 1:
        raise InputError("--weights belongs to one bundle: name it alone, or leave --weights out.")
    items = read_datalist(datalist or sample_dataset_dir() / "datalist.json", part)
    degradation = make_degradation(kernel, scale_factor)
    loaded = [Upscaler.from_bundle(name, scale_factor, weights, device, alpha) for name in names]
    upscalers = {upscaler.provenance.bundle: upscaler for upscaler in loaded}
    if len(upscalers) < len(names):
        raise InputError("Two of the bundles have one name: compare each bundle once.")
    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=len(items))
        result = run_evaluation(
            upscalers,
            items,
            degradation=degradation,
            scale_factor=scale_factor,
            out_dir=output,
            max_slices=max_slices,
            features=VGG19Features(vgg_weights, VGG_LAYER) if vgg_weights else None,
            hallucination=hallucination,
            about={name: upscaler.provenance.origin for name, upscaler in upscalers.items()}
            | {"data": f"part {part} of the datalist"},
            overwrite=overwrite,
            on_progress=partial(advance, bar, task),
        )
    for title, summary, signed in (
        ("Mean over patients", result.summary, False),
        ("Paired difference to bicubic", result.differences, True),
    ):
        console.print(_summary_table(title, summary, signed))
        console.print()
    for name, text in result.conventions.items():
        console.print(f"{name}: {text}", highlight=False, markup=False)
    console.print(f"Written: {output}", highlight=False, soft_wrap=True)


def _summary_table(title: str, summary: Mapping[str, Mapping[str, Estimate]], signed: bool) -> Table:
    """Metrics by methods: there are fewer methods, so that a terminal of 80 columns holds them uncut."""
    from monai_sr.evaluate.evaluation import metric_titles
    from monai_sr.evaluate.tables import estimate_cells

    titles = metric_titles(summary)
    table = Table(
        Column("metric", max_width=10, overflow="fold"),
        *(Column(method, min_width=len(method) + 1) for method in summary),
        title=title,
        box=None,
        pad_edge=False,
    )
    columns = [list(estimate_cells(metrics, titles, signed)) for metrics in summary.values()]
    for name, *cells in zip(titles.values(), *columns, strict=True):
        table.add_row(name, *(cell.replace(" [", "\n[").replace(" (", "\n(") for cell in cells))
    return table


def bundles() -> None:
    """List the bundles that can be used by name."""
    from monai_sr.bundle import Bundle, bundle_folders

    # A path that is cut or folded could not be copied; a terminal wraps what is wider than itself.
    wide = Console(width=WIDE)
    table = Table("name", "version", "scales", "task", "folder", box=None)
    for name, folder in bundle_folders().items():
        bundle = Bundle(folder)
        scales = ", ".join(f"x{scale}" for scale in bundle.scale_factors) or "none trained"
        table.add_row(name, bundle.version, scales, str(bundle.card.get("task", "")), str(folder))
    wide.print(table, soft_wrap=True)


def blend(
    weights: Annotated[list[Path], typer.Argument(help="Two or more files of weights of one network.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("blended.pt"),
    alpha: Annotated[
        float | None,
        typer.Option(help="Share of the second of two files, from 0 to 1; equal shares by default."),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Mix the weights of one network: a dial between two of its trainings, or an average of several."""
    import torch

    from monai_sr.io.atomic import atomic_file
    from monai_sr.weights import blend as mix
    from monai_sr.weights import read_weights

    if len(weights) < 2 or (alpha is not None and len(weights) != 2):
        raise InputError("Name two files of weights to blend by --alpha, or two and more to average.")
    if alpha is not None and not 0 <= alpha <= 1:
        raise InputError(f"--alpha must be from 0 to 1, got {alpha:g}.")
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists; name another file or add --overwrite.")
    shares = [1 / len(weights)] * len(weights) if alpha is None else [1 - alpha, alpha]
    mixed = mix([read_weights(path) for path in weights], shares)
    with atomic_file(output) as file:
        torch.save(mixed.state, file)
    console.print(f"Written: {output}", highlight=False, soft_wrap=True)


def export(
    bundle: Annotated[str, typer.Argument(help="Name or folder of a bundle.")],
    output: Annotated[Path, typer.Argument(help="File to write: .ts, .onnx, .xml or .safetensors.")],
    format: Annotated[
        str | None,
        typer.Option(help="torchscript, onnx, openvino or safetensors; told by the file's suffix."),
    ] = None,
    scale_factor: ScaleOption = 2,
    weights: WeightsOption = None,
    alpha: AlphaOption = None,
    trust: TrustOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Write a bundle's network for another runtime, checked against the network itself."""
    from monai_sr.export import FORMATS, export_network
    from monai_sr.upscaler import Upscaler

    suffixes = {suffix: name for name, (suffix, _) in FORMATS.items()}
    upscaler = Upscaler.from_bundle(chosen_bundle(bundle, trust), scale_factor, weights, "cpu", alpha)
    chosen = format or suffixes.get(output.suffix, output.suffix or "without a suffix")
    difference = export_network(upscaler.network, output, chosen, overwrite)
    console.print(
        f"Written: {output} (largest difference from PyTorch {difference:.1e})",
        highlight=False,
        soft_wrap=True,
    )
