"""What `upscale --through-plane` does: slices between the slices of an MR volume."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from monai_sr.cli.common import advance, console, parse_bytes, progress_bar
from monai_sr.errors import InputError

ThroughPlaneOption = Annotated[
    bool,
    typer.Option(
        "--through-plane",
        help="Find the slices between the slices of an anisotropic MR volume instead: as far apart as its "
        "pixels, which stay as they are.",
    ),
]
SelfSupervisedOption = Annotated[
    bool,
    typer.Option(
        "--self-supervised",
        help="With --through-plane, train on the volume's own slices first, which takes minutes.",
    ),
]
SliceProfileOption = Annotated[
    str, typer.Option(help="With --through-plane, how a slice sees its thickness: box or gaussian.")
]
SliceFactorOption = Annotated[
    int | None,
    typer.Option(min=2, help="With --through-plane, this many slices for each, whatever the pixels."),
]

_OWN = {"self_supervised", "slice_profile", "slice_factor"}
_SHARED = {
    "source",
    "destination",
    "device",
    "memory",
    "series",
    "overwrite",
    "allow_private",
    "include_derived",
    "transfer_syntax",
}


def refuse_without_through_plane(context: typer.Context) -> None:
    """Refuse options that mean nothing without `--through-plane`.

    Args:
        context: of the command.

    Raises:
        InputError: if one was given.
    """
    for name in sorted(_given(context) & _OWN):
        raise InputError(f"--{name.replace('_', '-')} is for slices between: add --through-plane.")


def find_slices(context: typer.Context) -> None:
    """Do what `upscale` was asked to, across slices.

    Args:
        context: of the command.

    Raises:
        InputError: if an option does not go with it, or the input is no anisotropic MR volume.
        MonaiSRError: if writing fails; nothing is left then.
    """
    from monai_sr.batch import plan, run_through_plane
    from monai_sr.cli.pacs import is_pacs_address
    from monai_sr.io import DicomOutput
    from monai_sr.io.remote import local_copy
    from monai_sr.runtimes import choose_device
    from monai_sr.through_plane import ThroughPlane
    from monai_sr.volume import Consistency

    given: dict[str, Any] = context.params
    for name in sorted(_given(context) - _OWN - _SHARED - {"through_plane"}):
        raise InputError(f"--{name.replace('_', '-')} does not go with --through-plane: leave it out.")
    if is_pacs_address(given["source"]) or is_pacs_address(given["destination"]):
        raise InputError("--through-plane is for files: fetch the series from the PACS first.")
    syntax = given["transfer_syntax"]
    dicom = None if syntax is None else DicomOutput(syntax)
    through = ThroughPlane.released(
        given["slice_profile"],
        given["self_supervised"],
        choose_device(given["device"]),
        parse_bytes(given["memory"]),
    )
    with local_copy(given["source"], given["allow_private"]) as path, progress_bar() as bar:
        jobs = plan(path, Path(given["destination"]), given["series"], dicom, given["include_derived"])
        for number, job in enumerate(jobs, start=1):
            task = bar.add_task(f"series {number} of {len(jobs)}", total=None)
            written = run_through_plane(
                through, job, given["slice_factor"], given["overwrite"], partial(advance, bar, task)
            )
            count, distance = len(written.array), written.spacing[2]
            text = f"Written: {job.destination}, {count} slices {distance:.4g} mm apart"
            console.print(text, highlight=False, soft_wrap=True)
            if found := Consistency.over(written.consistency.values()):
                console.print(f"{str(found).capitalize()}", highlight=False, soft_wrap=True)


def _given(context: typer.Context) -> set[str]:
    """Names of the parameters that the user wrote."""
    return {
        name
        for name in context.params
        if (origin := context.get_parameter_source(name)) is not None and origin.name == "COMMANDLINE"
    }
