"""The `monai-sr` command; whatever is heavy is imported inside the command that needs it."""

from __future__ import annotations

import logging
import signal
import sys
from typing import Annotated

import typer

from monai_sr import __version__
from monai_sr.cli.common import console, errors
from monai_sr.cli.datasets import split
from monai_sr.cli.images import show, upscale
from monai_sr.cli.models import blend, bundles, evaluate, export
from monai_sr.cli.pacs import pacs
from monai_sr.cli.study import study
from monai_sr.cli.web import serve_app
from monai_sr.errors import MonaiSRError

app = typer.Typer(
    help="Super-resolution of medical images: DICOM, NIfTI, PNG and TIFF in, the same out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (upscale, evaluate, bundles, split, blend, export, show):
    app.command()(command)
app.add_typer(pacs, name="pacs")
app.add_typer(study, name="study")
app.command("app")(serve_app)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"monai-sr {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command; a user's mistake ends in one sentence and exit code 2, a failure in 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    # As after Ctrl+C, so that whatever is half-written is removed.
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no hangup, and nohup has it ignored.
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        app()
    except MonaiSRError as error:
        errors.print(
            f"Error: {str(error).rstrip('.')}.", style="red", highlight=False, markup=False, soft_wrap=True
        )
        sys.exit(error.exit_code)
    except SystemExit as stop:
        # Ctrl+C, which typer turns into an exit without a word.
        if isinstance(getattr(stop.__context__, "__cause__", None), KeyboardInterrupt):
            errors.print("Interrupted; nothing was left half-written.", style="red")
        raise
