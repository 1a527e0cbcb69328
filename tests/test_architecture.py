"""The house's plan, enforced by reading every import with `ast`: imports flow down, modules stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Container, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import monai_sr

PACKAGE = Path(monai_sr.__file__).parent
LARGEST_MODULE = 350

# Part -> the parts right below it. A part may import whatever can be reached downwards, and nothing else:
# siblings stay apart, and a new part has to be given its place here.
BELOW: dict[str, set[str]] = {
    "__main__": {"cli"},
    "cli": {"integrations", "splitting", "sample", "export", "api", "networks", "study"},
    "api": {"evaluate"},
    "export": {"upscaler"},
    "integrations": {"batch", "evaluate"},
    "batch": {"upscaler", "io", "report", "through_plane"},
    "evaluate": {"upscaler", "io", "report", "metrics", "transforms", "data", "baselines", "splitting"},
    "upscaler": {"trust", "runtimes", "bundle", "survey"},
    "through_plane": {"survey", "geometry", "weights", "networks"},
    "survey": {"volume", "intensity"},
    "trust": {"volume", "geometry", "intensity", "degradation", "networks"},
    "runtimes": set(),
    "bundle": {"weights", "networks"},
    "study": {"report"},
    "report": {"statistics", "io", "volume"},
    "data": {"io", "volume", "splitting"},
    "io": {"volume", "geometry"},
    "engines": {"losses", "splitting", "weights"},
    "transforms": {"geometry", "intensity", "degradation"},
    "losses": set(),
    "metrics": set(),
    "networks": set(),
    "baselines": set(),
    "statistics": set(),
    "volume": {"geometry", "intervals"},
    "intervals": set(),
    "degradation": set(),
    "geometry": set(),
    "intensity": set(),
    "splitting": set(),
    "weights": set(),
    "sample": set(),
}
COMMON = {"errors", "imagenet"}  # leaves that every part may import
# The package's own `__init__` gives the public names lazily, so it is above all of these.
PUBLIC = {"api", "io", "networks", "upscaler", "volume"}

FRAMEWORKS = {"torch", "torchvision", "monai", "ignite"}
WITHOUT_FRAMEWORKS = {"errors", "geometry", "intensity", "intervals", "io", "sample", "splitting", "volume"}
WITHOUT_FRAMEWORKS |= {"__init__"}
# Mathematics, usable from a bundle wherever MONAI is: these import the frameworks and numpy only.
ONLY_FRAMEWORKS = {"degradation", "networks", "losses", "transforms", "metrics"}
# What may load when the command starts: its answer to --help is instant.
LIGHT = {"typer", "rich"}
LIGHT |= {f"monai_sr.{name}" for name in ("__version__", "cli", "errors", "splitting", "sample")}


@dataclass(frozen=True)
class Import:
    """One imported name in full, its line, and whether it loads together with its module."""

    name: str
    line: int
    at_start: bool


def modules() -> dict[str, Path]:
    """Dotted name -> file, of every module of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str) -> Iterator[Import]:
    """Every module that `source` names in an import, wherever it stands."""

    def visit(node: ast.AST, at_start: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, at_start) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = "." * child.level + (child.module or "")
                yield from (Import(f"{base}.{alias.name}", child.lineno, at_start) for alias in child.names)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield from visit(child, False)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for statement in child.body:
                    yield from visit(ast.Module([statement], []), False)
                for statement in child.orelse:
                    yield from visit(ast.Module([statement], []), at_start)
            else:
                yield from visit(child, at_start)

    return visit(ast.parse(source), True)


def longest_prefix(name: str, known: Container[str]) -> str | None:
    """`name` or the nearest name above it that is known: `a.b` for `a.b.Class`."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or None


def part_of(module: str) -> str:
    """First name below the package, or `__init__` for the package itself."""
    return [*module.split("."), "__init__"][1]


def reachable(part: str) -> set[str]:
    """Every part that can be reached downwards from `part`."""
    found: set[str] = set()
    pending = set(BELOW[part])
    while pending:
        found.add(below := pending.pop())
        pending |= BELOW[below] - found
    return found


def violations(module: str, source: str) -> list[str]:
    """What `source`, standing as `module`, imports against the plan."""
    part = part_of(module)
    if part not in BELOW and part not in COMMON and part != "__init__":
        return [f"{module}: the part {part!r} has no place in the plan"]
    allowed = COMMON | {part}
    allowed |= PUBLIC if part == "__init__" else reachable(part) if part in BELOW else set()
    found = []
    for imported in imports(source):
        top = imported.name.split(".")[0]
        here = f"{module}:{imported.line}"
        if not top:
            found.append(f"{here}: relative import, name the module in full")
        elif top == "monai_sr":
            target = part_of(imported.name)
            if target not in allowed | {"__init__", "__version__"}:
                found.append(f"{here}: {part} imports {target}")
        elif (part in WITHOUT_FRAMEWORKS and top in FRAMEWORKS) or (
            part in ONLY_FRAMEWORKS and top not in FRAMEWORKS | {"numpy"} | sys.stdlib_module_names
        ):
            found.append(f"{here}: {part} imports {top}")
        light = LIGHT | sys.stdlib_module_names
        if part == "cli" and imported.at_start and longest_prefix(imported.name, light) is None:
            found.append(f"{here}: {part} loads {imported.name} at start")
    return found


def cycle(sources: dict[str, str]) -> list[str]:
    """Modules that import each other while loading, or none."""
    graph = {
        module: {
            imported
            for imported in (
                longest_prefix(found.name, sources) for found in imports(source) if found.at_start
            )
            if imported not in (None, module, "monai_sr")  # the package itself loads nothing at start
        }
        for module, source in sources.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize(("module", "path"), modules().items(), ids=lambda value: str(value))
def test_a_module_follows_the_plan(module, path):
    source = path.read_text(encoding="utf-8")
    assert violations(module, source) == []
    assert len(source.splitlines()) <= LARGEST_MODULE


def test_no_modules_import_each_other():
    assert cycle({module: path.read_text(encoding="utf-8") for module, path in modules().items()}) == []


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("monai_sr.io.dicom", "import torch", "io imports torch"),
        ("monai_sr.io.dicom", "def f():\n    from monai.data import x", "io imports monai"),
        ("monai_sr.volume", "import torch.nn as nn", "volume imports torch"),
        ("monai_sr.upscaler", "from monai_sr.io import read_volume", "upscaler imports io"),
        ("monai_sr.upscaler", "from monai_sr import io", "upscaler imports io"),
        ("monai_sr.upscaler", "from monai_sr import read_volume", "upscaler imports read_volume"),
        ("monai_sr.upscaler", "from .io.dicom import read", "relative import"),
        ("monai_sr.batch", "from monai_sr.evaluate import evaluate", "batch imports evaluate"),
        (
            "monai_sr.evaluate",
            "if TYPE_CHECKING:\n    from monai_sr.batch import x",
            "evaluate imports batch",
        ),
        ("monai_sr.engines.trainer", "import monai_sr.networks", "engines imports networks"),
        ("monai_sr.losses.perceptual", "from monai_sr.networks.features import x", "losses imports networks"),
        ("monai_sr.networks.edsr", "import scipy.ndimage", "networks imports scipy"),
        ("monai_sr.cli", "import numpy as np", "cli loads numpy at start"),
        ("monai_sr.cli", "from monai_sr.batch import upscale", "cli loads monai_sr.batch.upscale at start"),
        ("monai_sr.novelty", "", "'novelty' has no place in the plan"),
    ],
)
def test_a_planted_import_is_caught(module, source, complaint):
    assert [complaint in found for found in violations(module, source)] == [True]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("monai_sr.cli", "import sys\nimport typer\nfrom monai_sr import __version__"),
        ("monai_sr.cli", "def upscale():\n    from monai_sr.batch import upscale"),
        ("monai_sr.cli", "if TYPE_CHECKING:\n    from monai_sr.volume import Volume"),
        ("monai_sr.io.dicom", "import pydicom\nfrom monai_sr.volume import Volume"),
        ("monai_sr.upscaler", "import torch\nfrom monai_sr.errors import InputError"),
        (
            "monai_sr.networks.edsr",
            "import math\nfrom torch import nn\nfrom monai_sr.networks.blocks import x",
        ),
    ],
)
def test_a_good_import_is_not(module, source):
    assert violations(module, source) == []


def test_a_planted_cycle_is_caught():
    planted = {"monai_sr.a": "from monai_sr.b import x", "monai_sr.b": "from monai_sr import a"}
    assert set(cycle(planted)) == planted.keys()
    assert cycle({**planted, "monai_sr.b": "def f():\n    from monai_sr import a"}) == []


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("from monai_sr import read_volume", FRAMEWORKS),
        ("import monai_sr.splitting", FRAMEWORKS | {"numpy"}),
        ("import monai_sr.cli", FRAMEWORKS | {"numpy"}),
    ],
)
def test_an_import_stays_light(statement, absent):
    code = f"import sys; {statement}; print(*sorted({absent!r} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""
