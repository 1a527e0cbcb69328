"""Pages that hold all that they need: template, styles and scripts as texts, each known by its hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

import jinja2

ASSETS = Path(__file__).parent / "assets"


def template(name: str, *folders: Path) -> jinja2.Template:
    """A template, in which everything is escaped: a title or a name is text, whatever it holds.

    Args:
        name: of its file.
        folders: where it and what it includes lie; the report's assets are looked through last.

    Returns:
        The template; a name that it is not given is an error.
    """

    def text(wanted: str) -> str | None:
        found = (folder / wanted for folder in (*folders, ASSETS))
        return next((file.read_text(encoding="utf-8") for file in found if file.is_file()), None)

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(text),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)


def style(*sheets: Path) -> str:
    """Style sheets as one text."""
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)


def script(own: Sequence[Path], libraries: Sequence[Path] = ()) -> str:
    """Scripts as one text.

    Args:
        own: in the order in which each needs those before it.
        libraries: what they use, before them and outside their function.

    Returns:
        One function around our own: they see each other's names, and nothing of theirs becomes the window's.
    """
    before = "".join(library.read_text(encoding="utf-8") + "\n" for library in libraries)
    inside = "\n".join(file.read_text(encoding="utf-8") for file in own)
    return f'{before}(() => {{\n"use strict";\n{inside}}})();'


def content_hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline text by, the only one that it then lets through."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
