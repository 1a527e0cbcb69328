"""The command on datasets: `split`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monai_sr.cli.common import OverwriteOption, console
from monai_sr.errors import InputError


def split(
    dataset_dir: Annotated[Path, typer.Argument(help="Folder of images.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Datalist to write; DATASET_DIR/datalist.json by default."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="CSV with the columns path (from its own folder or from DATASET_DIR), patient (or "
            "subject_id) and, optionally, split."
        ),
    ] = None,
    patient_pattern: Annotated[
        str | None, typer.Option(help="Regular expression whose first group in a path is the patient.")
    ] = None,
    fractions: Annotated[
        tuple[float, float, float], typer.Option(help="Shares of patients: training, validation, test.")
    ] = (0.7, 0.15, 0.15),
    seed: Annotated[int, typer.Option(help="Seed of the shuffle.")] = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Split a dataset by patient into training, validation and test; write the datalist."""
    from monai_sr.io.atomic import atomic_file
    from monai_sr.splitting import datalist_json, split_dataset

    path = output or dataset_dir / "datalist.json"
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; name another file by --output or add --overwrite.")
    datalist = split_dataset(dataset_dir, fractions, seed, manifest, patient_pattern)
    text = datalist_json(datalist, dataset_dir, path.parent)
    with atomic_file(path) as file:
        file.write_text(text, encoding="utf-8")
    for name, items in datalist.items():
        patients = len({item["patient"] for item in items})
        console.print(f"{name}: {len(items)} images of {patients} patients", highlight=False)
    console.print(f"Written: {path}", highlight=False, soft_wrap=True)
