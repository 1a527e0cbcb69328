"""What the pages take from the software itself, written anew into docs/generated/ by every build."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import dicom_tables
from sphinx.application import Sphinx

from monai_sr.bundle import bundle_folders

GENERATED = "generated"


def setup(app: Sphinx) -> dict[str, bool]:
    """Write before Sphinx looks for its sources."""
    app.connect("config-inited", lambda app, config: _write(Path(app.srcdir)))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write(source: Path) -> None:
    folder = source / GENERATED
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bundles").mkdir(parents=True)
    (folder / "commands.md").write_text(_commands(), encoding="utf-8")
    cards = {name: root for name, root in bundle_folders().items() if source.parent in root.parents}
    for name in cards:
        card = f"../../../bundles/{name}/docs/README.md"
        text = f"```{{include}} {card}\n:relative-images:\n```\n"
        (folder / "bundles" / f"{name}.md").write_text(text, encoding="utf-8")
    for name, table in dicom_tables.TABLES.items():
        # Not a page: no suffix that Sphinx looks for.
        (folder / f"{name}.inc").write_text(table(), encoding="utf-8")


def _commands() -> str:
    """The help of every command, as Typer's own tool writes it."""
    tool = [sys.executable, "-m", "typer", "monai_sr.cli", "utils", "docs"]
    done = subprocess.run(
        [*tool, "--name", "monai-sr", "--title", "Commands"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return done.stdout
