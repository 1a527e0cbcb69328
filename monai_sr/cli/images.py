"""Commands on images: `upscale` and `show`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from monai_sr.cli.common import (
    AlphaOption,
    BundleOption,
    DeviceOption,
    OverwriteOption,
    ScaleOption,
    WeightsOption,
    advance,
    console,
    progress_bar,
)
from monai_sr.errors import InputError


def upscale(
    source: Annotated[
        str, typer.Argument(help="DICOM folder or file, NIfTI, PNG, TIFF or JPEG; or a file's web address.")
    ],
    destination: Annotated[Path, typer.Argument(help="Folder for DICOM; file or folder for the rest.")],
    bundle: BundleOption = "edsr_mri",
    scale_factor: ScaleOption = 2,
    weights: WeightsOption = None,
    alpha: AlphaOption = None,
    device: DeviceOption = "auto",
    series: Annotated[
        str | None, typer.Option(help="SeriesInstanceUID, where a folder holds several and one is wanted.")
    ] = None,
    overwrite: OverwriteOption = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Fetch a web address off the public internet too.")
    ] = False,
) -> None:
    """Super-resolve an image or a DICOM series, keeping its geometry, values and identity."""
    from monai_sr.batch import plan, run_job
    from monai_sr.io.remote import local_copy
    from monai_sr.upscaler import Upscaler

    with local_copy(source, allow_private) as path, progress_bar() as bar:
        jobs = plan(path, destination, series)
        upscaler = Upscaler.from_bundle(bundle, scale_factor, weights, device, alpha)
        for number, job in enumerate(jobs, start=1):
            task = bar.add_task(f"series {number} of {len(jobs)}", total=None)
            run_job(upscaler, job, overwrite, partial(advance, bar, task))
            console.print(f"Written: {job.destination}", highlight=False, soft_wrap=True)


def show(
    source: Annotated[
        str, typer.Argument(help="DICOM folder or file, NIfTI, PNG, TIFF or JPEG; or a file's web address.")
    ],
    output: Annotated[Path, typer.Argument(help="PNG to write.")],
    bundle: BundleOption = "edsr_mri",
    scale_factor: ScaleOption = 2,
    alpha: AlphaOption = None,
    device: DeviceOption = "auto",
    frame: Annotated[
        int | None, typer.Option(min=1, help="Which slice, from 1; the middle one by default.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw one slice as it is, bicubically enlarged and super-resolved, side by side."""
    from monai_sr.api import super_resolve
    from monai_sr.report import save_figure

    if output.suffix.lower() != ".png":
        raise InputError(f"{output} must be a PNG: let its name end in .png.")
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists; name another file or add --overwrite.")
    if not output.parent.is_dir():
        raise InputError(f"The folder {output.parent} does not exist: make it first.")
    result = super_resolve(source, bundle, scale_factor, alpha, device)
    count = len(result.low.array)
    if frame is not None and frame > count:
        raise InputError(f"--frame must be from 1 to {count}, got {frame}.")
    save_figure(result.show(None if frame is None else frame - 1), output)
    console.print(f"Written: {output}", highlight=False, soft_wrap=True)
