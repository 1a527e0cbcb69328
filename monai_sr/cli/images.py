"""Commands on images: `upscale` and `show`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from monai_sr.cli.common import (
    SOME_WERE_NOT_DONE,
    AlphaOption,
    BundleOption,
    ConsistencyOption,
    DeviceOption,
    ForcePrecisionOption,
    MemoryOption,
    OverwriteOption,
    PrecisionOption,
    RuntimeOption,
    ScaleOption,
    StrictOption,
    TrustOption,
    UncertaintyOption,
    WeightsOption,
    advance,
    chosen_bundle,
    console,
    errors,
    parse_bytes,
    progress_bar,
)
from monai_sr.cli.through_plane import (
    SelfSupervisedOption,
    SliceFactorOption,
    SliceProfileOption,
    ThroughPlaneOption,
    find_slices,
    refuse_without_through_plane,
)
from monai_sr.errors import InputError

if TYPE_CHECKING:
    from monai_sr.batch import Outcome
    from monai_sr.batch.jobs import Job, Written
    from monai_sr.io import DicomOutput
    from monai_sr.upscaler import Upscaler


def upscale(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            help="DICOM folder or file, .nii, .mha, .nrrd, PNG, TIFF or JPEG; its web address; or a study or "
            "series in a PACS, dicomweb://HOST:PORT/PATH/studies/UID."
        ),
    ],
    destination: Annotated[
        str,
        typer.Argument(
            help="Folder for DICOM (or .dcm for one image) and for an archive; file or folder for the rest; "
            "or a PACS, dicomweb://HOST:PORT/PATH."
        ),
    ],
    bundle: BundleOption = "edsr_mri",
    scale_factor: ScaleOption = 2,
    weights: WeightsOption = None,
    alpha: AlphaOption = None,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    force_precision: ForcePrecisionOption = False,
    memory: MemoryOption = "4G",
    consistency: ConsistencyOption = "report",
    strict: StrictOption = False,
    uncertainty: UncertaintyOption = False,
    series: Annotated[
        str | None, typer.Option(help="SeriesInstanceUID, where a folder holds several and one is wanted.")
    ] = None,
    overwrite: OverwriteOption = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Fetch a web address off the public internet too.")
    ] = False,
    recursive: Annotated[
        bool,
        typer.Option("--recursive", "-r", help="Every image below a folder; a bad one stops no other."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a --recursive run that was stopped.")
    ] = False,
    include_derived: Annotated[
        bool,
        typer.Option(
            "--include-derived", help="Also what monai-sr itself made, which is else left alone or refused."
        ),
    ] = False,
    engine: Annotated[
        str, typer.Option(help="With --recursive: local, or ray for a cluster that shares the folders.")
    ] = "local",
    address: Annotated[str, typer.Option(help="Of the Ray cluster, HOST:PORT.")] = "auto",
    transfer_syntax: Annotated[
        str | None,
        typer.Option(help="Of DICOM output: explicit (the default), or jpegls or rle, which lose nothing."),
    ] = None,
    secondary_capture: Annotated[
        bool,
        typer.Option(
            "--secondary-capture",
            help="Write DICOM as Secondary Capture, for what takes no other; its position is lost.",
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page to look at the result in, too: one .html that any browser opens; numbered "
            "where there are several series."
        ),
    ] = None,
    trust: TrustOption = False,
    through_plane: ThroughPlaneOption = False,
    self_supervised: SelfSupervisedOption = False,
    slice_profile: SliceProfileOption = "box",
    slice_factor: SliceFactorOption = None,
) -> None:
    """Super-resolve an image, a DICOM series or an archive, keeping geometry, values and identity.

    With --recursive, or from a study in a PACS, it ends with 3 where some images were refused or failed.
    """
    from monai_sr.batch import plan, run_job
    from monai_sr.cli.pacs import is_pacs_address, upscale_with_pacs
    from monai_sr.io import DicomOutput, interval_path
    from monai_sr.io.remote import local_copy
    from monai_sr.upscaler import Upscaler
    from monai_sr.volume import Consistency

    if through_plane:
        find_slices(context)
        return
    refuse_without_through_plane(context)
    dicom = None
    if transfer_syntax is not None or secondary_capture:
        dicom = DicomOutput(transfer_syntax or "explicit", secondary_capture)
    folder = chosen_bundle(bundle, trust)
    options: dict[str, Any] = {
        "bundle": folder,
        "scale_factor": scale_factor,
        "weights": weights,
        "device": device,
        "alpha": alpha,
        "runtime": runtime,
        "precision": precision,
        "force_precision": force_precision,
        "memory": parse_bytes(memory),
        "consistency": consistency,
        "strict": strict,
        "uncertainty": uncertainty,
    }
    if engine not in ("local", "ray"):
        raise InputError(f"There is no engine {engine}: use local or ray.")
    if address != "auto" and engine != "ray":
        raise InputError("--address is for a Ray cluster: add --engine ray.")
    by_pacs = is_pacs_address(source) or is_pacs_address(destination)
    if uncertainty and by_pacs:
        raise InputError("--uncertainty is for files: leave it out, or upscale a copy of the study.")
    if report is not None and (recursive or by_pacs):
        raise InputError("--report goes neither with --recursive nor with a PACS: leave one of them out.")
    if recursive:
        if by_pacs:
            raise InputError("--recursive is for folders: leave it out, or use `monai-sr pacs watch`.")
        if series is not None or overwrite:
            raise InputError("--series and --overwrite do not go with --recursive: leave them out.")
        ray_address = address if engine == "ray" else None
        _upscale_archive(
            options, ray_address, Path(source), Path(destination), resume, include_derived, dicom
        )
        return
    if resume or engine == "ray":
        raise InputError("--resume and --engine ray are for an archive: add --recursive.")
    if by_pacs:
        upscale_with_pacs(
            options, source, destination, series, overwrite, allow_private, dicom, include_derived
        )
        return
    with local_copy(source, allow_private) as path, progress_bar() as bar:
        jobs = plan(path, Path(destination), series, dicom, include_derived)
        pages = _pages(report, path, jobs, overwrite)
        upscaler = Upscaler.from_bundle(**options)
        for number, job in enumerate(jobs, start=1):
            task = bar.add_task(f"series {number} of {len(jobs)}", total=None)
            written = run_job(upscaler, job, overwrite, partial(advance, bar, task))
            console.print(f"Written: {job.destination}", highlight=False, soft_wrap=True)
            if uncertainty:
                console.print(f"Written: {interval_path(job.destination)}", highlight=False, soft_wrap=True)
            if found := Consistency.over(written.consistency.values()):
                console.print(f"{str(found).capitalize()}", highlight=False, soft_wrap=True)
            if written.interval:
                console.print(f"Intervals: {written.interval}", highlight=False, soft_wrap=True)
            if written.findings:
                text = f"What speaks against it: {'; '.join(written.findings)}"
                console.print(text, highlight=False, markup=False, soft_wrap=True)
            if pages:
                _write_page(pages[number - 1], job, upscaler, written, overwrite)
        console.print(f"Computed by {upscaler.provenance.computation}", highlight=False, soft_wrap=True)


def _pages(report: Path | None, source: Path, jobs: list[Job], overwrite: bool) -> list[Path]:
    """One page for each job, none of which is refused once images have been computed."""
    from monai_sr.io.atomic import check_apart
    from monai_sr.report import check_page

    if report is None:
        return []
    pages = [report]
    if len(jobs) > 1:
        pages = [
            report.with_name(f"{report.stem}_{number:04d}{report.suffix}")
            for number in range(1, len(jobs) + 1)
        ]
    for page, job in zip(pages, jobs, strict=True):
        check_page(page, overwrite)
        check_apart(page, source)
        if job.destination.resolve() in (page.resolve(), *page.resolve().parents):
            raise InputError(f"{page} lies in the output {job.destination}: name a report elsewhere.")
    return pages


def _write_page(page: Path, job: Job, upscaler: Upscaler, written: Written, overwrite: bool) -> None:
    """Show what was read beside what was written."""
    from monai_sr.evaluate import bicubic
    from monai_sr.io import interval_path, open_volume, read_intervals
    from monai_sr.report import write_report

    finer = open_volume(job.destination)
    half_width = read_intervals(finer, interval_path(job.destination)) if written.interval else None
    write_report(
        page,
        job.read(),
        finer,
        upscaler.provenance,
        interpolate=bicubic,
        consistency=written.consistency,
        findings=written.findings,
        compared=written.compared,
        interval=written.interval,
        half_width=half_width,
        overwrite=overwrite,
    )
    console.print(f"Written: {page}", highlight=False, soft_wrap=True)


def _upscale_archive(
    options: dict[str, Any],
    ray_address: str | None,
    archive: Path,
    out: Path,
    resume: bool,
    include_derived: bool,
    dicom: DicomOutput | None,
) -> None:
    from monai_sr.batch import run_archive
    from monai_sr.batch.ray_engine import RayEngine
    from monai_sr.upscaler import Upscaler

    upscaler = Upscaler.from_bundle(**options)
    engine = None
    if ray_address is not None:
        engine = RayEngine(ray_address, options, upscaler.provenance, out)
    with progress_bar() as bar:
        task = bar.add_task("reading headers", total=None)

        def tell(outcome: Outcome, total: int) -> None:
            bar.update(task, description="upscaling", advance=1, total=total)
            if outcome.status in ("refused", "failed"):
                text = f"{outcome.status.capitalize()}: {outcome.reason.rstrip('.')}."
                errors.print(text, style="red", highlight=False, markup=False, soft_wrap=True)

        try:
            summary = run_archive(
                upscaler,
                archive,
                out,
                resume=resume,
                include_derived=include_derived,
                dicom=dicom,
                engine=engine,
                on_outcome=tell,
            )
        except KeyboardInterrupt:
            text = "Interrupted; nothing was left half-written, and --resume goes on from here."
            errors.print(text, style="red", highlight=False, soft_wrap=True)
            raise typer.Exit(130) from None
    table = Table("series and files", Column("number", justify="right"), box=None)
    for status in ("done", "skipped", "refused", "failed"):
        table.add_row(status, str(summary.counts[status]))
    table.add_row("no images", str(summary.others))
    table.add_row("done, with findings", str(summary.with_findings))
    console.print(table)
    console.print(f"Computed by {upscaler.provenance.computation}", highlight=False, soft_wrap=True)
    console.print(f"Written: {out}, whose report.jsonl tells of each", highlight=False, soft_wrap=True)
    if summary.counts["refused"] or summary.counts["failed"]:
        raise typer.Exit(SOME_WERE_NOT_DONE)


def show(
    source: Annotated[
        str,
        typer.Argument(
            help="DICOM folder or file, .nii, .mha, .nrrd, PNG, TIFF or JPEG; or its web address."
        ),
    ],
    output: Annotated[Path, typer.Argument(help="PNG to write.")],
    bundle: BundleOption = "edsr_mri",
    scale_factor: ScaleOption = 2,
    alpha: AlphaOption = None,
    device: DeviceOption = "auto",
    trust: TrustOption = False,
    frame: Annotated[
        int | None, typer.Option(min=1, help="Which slice, from 1; the middle one by default.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw one slice as it is, bicubically enlarged and super-resolved, side by side."""
    from monai_sr.api import SuperResolved
    from monai_sr.io import read_volume
    from monai_sr.io.remote import local_copy
    from monai_sr.report import save_figure
    from monai_sr.upscaler import Upscaler

    if output.suffix.lower() != ".png":
        raise InputError(f"{output} must be a PNG: let its name end in .png.")
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists; name another file or add --overwrite.")
    if not output.parent.is_dir():
        raise InputError(f"The folder {output.parent} does not exist: make it first.")
    upscaler = Upscaler.from_bundle(chosen_bundle(bundle, trust), scale_factor, device=device, alpha=alpha)
    with local_copy(source) as path:
        low = read_volume(path)
    count = len(low.array)
    if frame is not None and frame > count:
        raise InputError(f"--frame must be from 1 to {count}, got {frame}.")
    # Of a stream only the frame that is shown is computed.
    result = SuperResolved(low, upscaler.stream(low), upscaler.provenance)
    save_figure(result.show(None if frame is None else frame - 1), output)
    console.print(f"Written: {output}", highlight=False, soft_wrap=True)
