"""Commands on a PACS: `pacs watch`, and what `upscale` does with one."""

from __future__ import annotations

import logging
import signal
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_sr.cli.common import (
    SOME_WERE_NOT_DONE,
    AlphaOption,
    BundleOption,
    ConsistencyOption,
    DeviceOption,
    ForcePrecisionOption,
    MemoryOption,
    PrecisionOption,
    RuntimeOption,
    ScaleOption,
    StrictOption,
    TrustOption,
    WeightsOption,
    advance,
    chosen_bundle,
    console,
    errors,
    parse_bytes,
    progress_bar,
)
from monai_sr.errors import InputError

if TYPE_CHECKING:
    from monai_sr.io import DicomOutput
    from monai_sr.upscaler import Progress

pacs = typer.Typer(help="A PACS, by DICOMweb.", no_args_is_help=True)


@pacs.callback()
def _pacs() -> None:
    """Commands on a PACS."""


@pacs.command()
def watch(
    source: Annotated[str, typer.Argument(help="The PACS to watch: dicomweb://HOST:PORT/PATH.")],
    state: Annotated[
        Path,
        typer.Option(
            envvar="STATE_DIRECTORY",
            help="Folder for the images at work, and to remember which series cannot be done.",
        ),
    ],
    destination: Annotated[
        str | None, typer.Argument(help="The PACS that gets the derived series; the same by default.")
    ] = None,
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
    modality: Annotated[str | None, typer.Option(help="Only series of this modality, such as MR.")] = None,
    description: Annotated[
        str | None, typer.Option(help="Only series in whose description this regular expression is found.")
    ] = None,
    min_spacing: Annotated[
        float | None, typer.Option(min=0, help="Only images whose pixels are at least so large, in mm.")
    ] = None,
    max_spacing: Annotated[
        float | None, typer.Option(min=0, help="Only images whose pixels are at most so large, in mm.")
    ] = None,
    since: Annotated[int | None, typer.Option(min=0, help="Only studies of the last so many days.")] = None,
    stable_seconds: Annotated[
        float, typer.Option(min=0, help="A series is whole if it got no image for so long.")
    ] = 60.0,
    interval: Annotated[
        float, typer.Option(min=0.1, help="Seconds from one look at the PACS to the next.")
    ] = 30.0,
    once: Annotated[bool, typer.Option("--once", help="Do what is there, then end.")] = False,
    transfer_syntax: Annotated[
        str, typer.Option(help="Of what is stored: explicit, or jpegls or rle, which lose nothing.")
    ] = "explicit",
    trust: TrustOption = False,
) -> None:
    """Upscale every new series of a PACS and store it there, until stopped.

    With --once it ends with 3 where some series were refused or failed.
    """
    require_client()
    from monai_sr.integrations.pacs.address import parse_address
    from monai_sr.integrations.pacs.rules import Rules
    from monai_sr.integrations.pacs.state import State
    from monai_sr.integrations.pacs.transfer import open_servers
    from monai_sr.integrations.pacs.watch import Stop, StoppedError, Watcher
    from monai_sr.io import DicomOutput
    from monai_sr.io.dicom_derive import derived_uid
    from monai_sr.upscaler import Upscaler

    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logging.getLogger("monai_sr").setLevel(logging.INFO)
    addresses = [parse_address(text) for text in (source, destination or source)]
    if any(address.study_uid for address in addresses):
        raise InputError("A whole PACS is watched: let its address end before /studies.")
    pacs_source, pacs_target = open_servers(*addresses, pause=stop.pause)
    rules = Rules(modality, description, min_spacing, max_spacing, since)
    dicom = DicomOutput(transfer_syntax)
    upscaler = Upscaler.from_bundle(
        chosen_bundle(bundle, trust),
        scale_factor=scale_factor,
        weights=weights,
        device=device,
        alpha=alpha,
        runtime=runtime,
        precision=precision,
        force_precision=force_precision,
        memory=parse_bytes(memory),
        consistency=consistency,
        strict=strict,
    )
    memory_of_failures = State(state, derived_uid("", "watch", upscaler.provenance))
    watcher = Watcher(
        upscaler, pacs_source, pacs_target, memory_of_failures, rules, stop, stable_seconds, dicom
    )
    try:
        if not once:
            watcher.run(interval)
        counts = watcher.run_once()
    except StoppedError:
        console.print("Stopped.")
        return
    finally:
        memory_of_failures.close()
    console.print(
        ", ".join(f"{status} {counts[status]}" for status in ("done", "skipped", "refused", "failed"))
    )
    if counts["refused"] or counts["failed"]:
        raise typer.Exit(SOME_WERE_NOT_DONE)


def is_pacs_address(text: str) -> bool:
    """Whether a source or a destination is a PACS.

    Args:
        text: as a user named it.

    Returns:
        True for a dicomweb address.
    """
    from monai_sr.integrations.pacs.address import is_pacs_address

    return is_pacs_address(text)


def require_client() -> None:
    """Refuse a PACS where the extra is not installed.

    Raises:
        InputError: with the remedy.
    """
    if find_spec("dicomweb_client") is None:
        raise InputError("A PACS needs dicomweb-client: pip install 'monai-sr[pacs]'.")


def upscale_with_pacs(
    options: dict[str, Any],
    source: str,
    destination: str,
    series: str | None,
    overwrite: bool,
    allow_private: bool,
    dicom: DicomOutput | None,
    include_derived: bool = False,
) -> None:
    """Do what `upscale` was asked, where source or destination is a PACS.

    Args:
        options: of `Upscaler.from_bundle`.
        source: as a user named it.
        destination: likewise.
        series: SeriesInstanceUID, to choose from a folder.
        overwrite: replace an earlier output folder.
        allow_private: whether a web address may be off the public internet.
        dicom: how DICOM is written.
        include_derived: also upscale what this software made.

    Raises:
        InputError: if nothing could be done as it stands.
        typer.Exit: if some series were refused or failed.
    """
    require_client()
    from monai_sr.integrations.pacs.transfer import upscale_by_pacs
    from monai_sr.upscaler import Upscaler

    is_whole, skipped = True, 0
    with progress_bar() as bar:

        def progress(name: str) -> Progress:
            return partial(advance, bar, bar.add_task(name, total=None))

        for outcome in upscale_by_pacs(
            partial(Upscaler.from_bundle, **options),
            source,
            destination,
            series=series,
            overwrite=overwrite,
            allow_private=allow_private,
            dicom=dicom,
            include_derived=include_derived,
            progress=progress,
        ):
            if outcome.status == "skipped":
                skipped += 1
            elif outcome.status == "done":
                text = f"{'Stored in' if is_pacs_address(destination) else 'Written:'} {outcome.output}"
                console.print(text, highlight=False, soft_wrap=True)
            else:
                is_whole = False
                text = f"{outcome.status.capitalize()}: {outcome.reason.rstrip('.')}."
                errors.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
    if skipped:
        text = f"Skipped: {skipped} series that monai-sr made or that hold no image that it can upscale"
        console.print(text, highlight=False, soft_wrap=True)
    if not is_whole:
        raise typer.Exit(SOME_WERE_NOT_DONE)
