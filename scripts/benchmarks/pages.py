"""Pages whose results a script writes between two marks."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
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


@dataclass(frozen=True)
class Results:
    """Numbers that a script keeps as JSON beside itself, and the part of a page that shows them.

    Args:
        script: path of the script.
        page: Markdown that has the script's marks.
        show: Markdown of the numbers.
    """

    script: Path
    page: Path
    show: Callable[[Any], str]

    @property
    def _numbers(self) -> Path:
        return self.script.with_suffix(".json")

    def kept(self) -> Any:
        """The numbers, as they were kept."""
        return json.loads(self._numbers.read_text(encoding="utf-8"))

    def keep(self, numbers: Any) -> None:
        """Write the numbers and the page, and print what the page shows."""
        self._numbers.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
        self.page.write_text(self._text(numbers), encoding="utf-8")
        print(self.show(numbers))

    def check(self) -> int:
        """1 if the page does not show the kept numbers, having said so, else 0."""
        if self._text(self.kept()) == self.page.read_text(encoding="utf-8"):
            return 0
        print(f"{self.page.relative_to(ROOT)} does not show the numbers of {self._numbers.name}")
        return 1

    def _text(self, numbers: Any) -> str:
        return with_results(self.page, self.script.resolve().relative_to(ROOT).as_posix(), self.show(numbers))


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table.

    Args:
        titles: of the columns.
        rows: cells of each row.

    Returns:
        The table, without a line feed behind it.
    """
    titles = list(titles)
    head = f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|"
    return "\n".join([head, *(f"| {' | '.join(cells)} |" for cells in rows)])


def machine(device: torch.device) -> dict[str, str]:
    """What times hold for."""
    capabilities = torch.cpu.get_capabilities()
    units = [name for name in ("avx2", "avx512_f", "avx512_bf16", "amx_bf16") if capabilities.get(name)]
    return {
        "processor": str(capabilities.get("cpu_name", platform.processor())),
        "threads": str(torch.get_num_threads()),
        "units": ", ".join(units),
        "GPU": torch.cuda.get_device_name() if device.type == "cuda" else "not measured",
        "torch": torch.__version__,
    }


def made_by(command: str, about: dict[str, str]) -> str:
    """The sentence under a table: the command and the machine.

    Args:
        command: as it was run.
        about: of `machine`, and more.

    Returns:
        A sentence and a list.
    """
    return f"Made by `{command}` on:\n" + "\n".join(f"- {key}: {value}" for key, value in about.items())
