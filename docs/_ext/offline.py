"""A check of what was built: a page, its styles and its scripts fetch nothing from another server."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

FETCHING = {
    *(("script", "src"), ("img", "src"), ("img", "srcset"), ("iframe", "src"), ("source", "src")),
    *(("video", "src"), ("audio", "src"), ("embed", "src"), ("object", "data"), ("use", "href")),
}
"""Elements and attributes by which a browser fetches; a plain link waits for a click."""

_LINKS = {"canonical", "search", "index", "next", "prev", "author", "license"}
_ELSEWHERE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_STYLE = re.compile(r"""(?:url\(|@import)\s*['"]?\s*((?:https?:)?//[^'")\s]+)""", re.IGNORECASE)


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at the pages once they are written."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def fetched_elsewhere(text: str, suffix: str) -> list[str]:
    """What a browser would fetch from another server.

    Args:
        text: of a page or of a style sheet.
        suffix: .html or .css.

    Returns:
        Addresses.
    """
    found = [match[1] for match in _STYLE.finditer(text)]
    if suffix == ".html":
        parser = _Parser()
        parser.feed(text)
        found += parser.found
    return found


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kinds = set((dict(attrs).get("rel") or "").split())
        for name, value in attrs:
            fetches = (tag, name) in FETCHING or ((tag, name) == ("link", "href") and not kinds & _LINKS)
            if fetches and value and _ELSEWHERE.match(value):
                self.found.append(value)


def _check(app: Sphinx, failure: Exception | None) -> None:
    if failure is not None or app.builder.format != "html":
        return
    faults = [
        f"{path.relative_to(app.outdir)} fetches {address}"
        for path in sorted(Path(app.outdir).rglob("*"))
        if path.suffix in (".html", ".css")
        for address in fetched_elsewhere(path.read_text(encoding="utf-8"), path.suffix)
    ]
    if faults:
        raise SphinxError("a page must need no other server: " + "; ".join(faults))
