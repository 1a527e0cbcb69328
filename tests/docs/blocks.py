"""The fenced blocks of the pages that users read, and the commands in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})(?P<language>[^`\n]*)\n"
    r"(?P<body>.*?)^(?P=indent)(?P=marks)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
MADE = {"_build", "generated"}
"""Folders of docs/ that a build makes."""


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is that of its fence, from 1."""

    line: int
    language: str
    text: str


def pages() -> list[Path]:
    """Every page with commands for users, from the root."""
    docs = [path for path in (ROOT / "docs").rglob("*.md") if not MADE & set(path.relative_to(ROOT).parts)]
    cards = (ROOT / "bundles").glob("*/docs/README.md")
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(docs), *sorted(cards)]
    return [path.relative_to(ROOT) for path in found]


def blocks(text: str) -> list[Block]:
    """The blocks of a page, in its order."""
    return [
        Block(text.count("\n", 0, match.start()) + 1, match["language"].strip(), match["body"])
        for match in FENCE.finditer(text)
    ]


def commands(text: str) -> list[str]:
    """The lines of a bash block as the shell takes them: continued ones joined, comments away."""
    joined = re.sub(r" *\\\n *", " ", text)
    lines = (re.sub(r"(^|\s+)#(\s.*|!.*|)$", "", line) for line in joined.splitlines())
    return [line for line in lines if line.strip()]
