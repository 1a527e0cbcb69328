"""Pages whose results a script writes between two marks."""

from __future__ import annotations

from pathlib import Path

END = "<!-- end of results -->"


def with_results(page: Path, script: str, results: str) -> str:
    """A page with results in their place.

    Args:
        page: Markdown that has the marks.
        script: path from the repository's root, as the first mark names it.
        results: Markdown.

    Returns:
        The page's new text.
    """
    start = f"<!-- results: {script} writes this part -->"
    before, rest = page.read_text(encoding="utf-8").split(start)
    return f"{before}{start}\n{results}\n{END}{rest.split(END, 1)[1]}"
