"""What the commands share: consoles, options and the bar of progress."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from monai_sr.errors import InputError

console = Console()
errors = Console(stderr=True)

SOME_WERE_NOT_DONE = 3
"""Exit code when some images of many were refused or failed."""

BundleOption = Annotated[str, typer.Option("--bundle", "-b", help="Name or folder of a bundle.")]
ScaleOption = Annotated[int, typer.Option("--scale-factor", "-s", help="Enlargement in plane: 2 or 4.")]
WeightsOption = Annotated[Path | None, typer.Option(help="Weights to use instead of the bundle's own.")]
AlphaOption = Annotated[
    float | None,
    typer.Option(help="From 0, the faithful weights of the pixel loss, to 1, the crisp ones; mixed between."),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust", help="Use a bundle that did not come with monai-sr; its configuration runs code."
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
RuntimeOption = Annotated[
    str, typer.Option(help="auto, torch, openvino or onnxruntime; auto takes OpenVINO on a CPU that has it.")
]
PrecisionOption = Annotated[
    str,
    typer.Option(help="auto, float32, bfloat16 or float16; auto lowers it where that was measured to hold."),
]
ForcePrecisionOption = Annotated[
    bool, typer.Option("--force-precision", help="Take a precision that was not measured to hold.")
]
MemoryOption = Annotated[
    str, typer.Option(help="Most memory to take, such as 4G or 1.5G; larger images are computed in tiles.")
]
ConsistencyOption = Annotated[
    str,
    typer.Option(
        help="report how far the result, degraded again, is from its source; enforce that it is not; or off."
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict", help="Refuse, rather than warn of, what is not like the bundle's training images."
    ),
]
UncertaintyOption = Annotated[
    bool,
    typer.Option(
        "--uncertainty",
        help="Write the half-width of each pixel's calibrated 90% interval, too: OUTPUT.interval, a DICOM "
        "Parametric Map or NIfTI.",
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace output that exists.")]


def chosen_bundle(name_or_path: str, trust: bool) -> Path:
    """The folder of a bundle whose code may run.

    Args:
        name_or_path: as a user named it.
        trust: whether the user trusts any bundle.

    Returns:
        The folder.

    Raises:
        InputError: if there is none, or it came from elsewhere and is not trusted.
    """
    from monai_sr.bundle import find_bundle

    bundle = find_bundle(name_or_path)
    if not (trust or bundle.is_own):
        raise InputError(
            f"{bundle.root} did not come with monai-sr, and a bundle's configuration can run any code: "
            "see what it holds and who made it, then add --trust."
        )
    return bundle.root


def parse_bytes(size: str) -> int:
    """A number of bytes as a user writes it.

    Args:
        size: such as 4G, 512M or 1.5 GiB, by powers of 1024.

    Returns:
        Bytes.

    Raises:
        InputError: if it is none.

    Example:
        >>> parse_bytes("512M")
        536870912
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", size.strip(), re.IGNORECASE)
    if match is None:
        raise InputError(f"{size} is no size of memory: write it as 4G or 1.5G.")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


def progress_bar() -> Progress:
    """A bar of what is done and what there is, on the terminal alone.

    Returns:
        A context in which it is shown.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


def advance(bar: Progress, task: TaskID, done: int, total: int) -> None:
    """Tell a bar how far it is; what computes calls it with the last two arguments.

    Args:
        bar: the bar.
        task: what it shows.
        done: how many are done.
        total: of how many.
    """
    bar.update(task, completed=done, total=total)
