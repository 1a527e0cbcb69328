"""Time every network by every runtime that is here, against eager PyTorch in float32, in one run.

All of a size are timed in turns, and the least of the turns counts, so that what else the machine does harms
them alike. The matrix peak is that of a 4096³ product in the same precision, timed in the same turns.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from monai_sr.bundle import find_bundle
from monai_sr.errors import InputError
from monai_sr.report import save_figure
from monai_sr.runtimes import RUNTIMES, choose_device, is_fast, make_runtime
from scripts.benchmarks.pages import ROOT, Results, machine, made_by, table

FIGURE = ROOT / "docs" / "speed.png"
NETWORKS = {"EDSR": "edsr_mri", "SRResNet": "srgan_mri", "Swift-SRGAN": "swift_srgan_mri"}
SCALE = 4
Row = dict[str, Any]


def candidates(network: nn.Module, device: torch.device) -> dict[tuple[str, str], Callable]:
    """(Runtime, precision) -> what computes the image by it; none that is not installed, or is emulated."""
    # A runtime may change the network's memory order, which eager PyTorch is not to gain by.
    eager = copy.deepcopy(network).eval().to(device)

    @torch.inference_mode()
    def plain(image: torch.Tensor) -> torch.Tensor:
        return eager(image.to(device)).cpu()

    found: dict[tuple[str, str], Callable] = {("eager", "float32"): plain}
    for runtime, precisions in RUNTIMES.items():
        for precision in precisions.get(device.type, ()):
            if not is_fast(precision, device):
                continue
            try:
                made = make_runtime(network, device, runtime, precision, force_precision=True)
            except InputError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            found[runtime, precision] = made
    return found


def least(calls: dict[Any, Callable[[], Any]], turns: int) -> dict[Any, float]:
    """Least seconds of each call, over turns in which each is made once, after one that does not count."""
    seconds = dict.fromkeys(calls, float("inf"))
    for turn in range(turns + 1):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            if turn:
                seconds[name] = min(seconds[name], time.perf_counter() - begin)
    return seconds


def matrix_product(precision: str, device: torch.device, size: int = 4096) -> tuple[Callable[[], Any], float]:
    """A square matrix product on the device, and its operations."""
    first, second = (torch.rand(size, size, dtype=getattr(torch, precision), device=device) for _ in range(2))

    def call() -> None:
        product = first @ second
        product[0, 0].item()  # waits for a GPU

    return call, 2.0 * size**3


def measure(size: int, device: torch.device, turns: int) -> list[Row]:
    """One row for every network, runtime and precision, for one image of size × size."""
    image = torch.rand(1, 1, size, size)
    calls: dict[Any, Callable[[], Any]] = {}
    operations: dict[str, float] = {}
    for title, name in NETWORKS.items():
        network = find_bundle(name).network(SCALE)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            network.eval()(image)
        operations[title] = counter.get_total_flops()
        for (runtime, precision), run in candidates(network, device).items():
            calls[title, runtime, precision] = lambda run=run: run(image)
    peak_operations = {}
    for precision in {precision for _, _, precision in calls}:
        call, peak_operations[precision] = matrix_product(precision, device)
        calls["matrix product", "torch", precision] = call
    seconds = least(calls, turns)
    rows = []
    for (title, runtime, precision), taken in seconds.items():
        if title == "matrix product":
            continue
        peak = peak_operations[precision] / seconds["matrix product", "torch", precision]
        rows.append(
            {
                "network": title,
                "runtime": runtime,
                "precision": precision,
                "size": size,
                "milliseconds": 1e3 * taken,
                "megapixels_per_second": (size * SCALE) ** 2 / 1e6 / taken,
                "of_matrix_peak": operations[title] / taken / peak,
                "peak_gflops": peak / 1e9,
                "ratio_to_eager": seconds[title, "eager", "float32"] / taken,
            }
        )
    return rows


def draw(rows: list[Row]) -> None:
    """Draw how many times as fast as eager float32 each runtime and precision is, network by network."""
    from matplotlib.figure import Figure

    shown = [row for row in rows if row["size"] == rows[0]["size"] and row["runtime"] != "eager"]
    figure = Figure(figsize=(8, 1 + 0.24 * len(shown)), layout="constrained")
    axes = figure.subplots()
    names = [f"{row['network']}, {row['runtime']} {row['precision']}" for row in shown]
    colours = ["tab:gray" if row["precision"] == "float32" else "tab:blue" for row in shown]
    axes.barh(range(len(shown)), [row["ratio_to_eager"] for row in shown], color=colours)
    axes.set_yticks(range(len(shown)), names)
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=0.8)
    size = shown[0]["size"]
    axes.set_xlabel(f"times as fast as eager PyTorch in float32, {size}² → {size * SCALE}²")
    save_figure(figure, FIGURE)


def show(kept: dict[str, Any]) -> str:
    """The table, and what made it."""
    titles = (
        "network",
        "image",
        "runtime",
        "precision",
        "ms",
        "megapixels/s",
        "of matrix peak",
        "× eager float32",
    )
    rows = [
        (
            row["network"],
            f"{row['size']}² → {row['size'] * SCALE}²",
            row["runtime"],
            row["precision"],
            f"{row['milliseconds']:.0f}",
            f"{row['megapixels_per_second']:.2f}",
            f"{row['of_matrix_peak']:.0%}",
            f"{row['ratio_to_eager']:.2f}",
        )
        for row in kept["rows"]
    ]
    peaks = {row["precision"]: row["peak_gflops"] for row in kept["rows"]}
    said = {"matrix peak, GFLOP/s": ", ".join(f"{name} {peak:.0f}" for name, peak in peaks.items())}
    return f"{table(titles, rows)}\n\n{made_by(kept['command'], {**kept['machine'], **said})}"


RESULTS = Results(Path(__file__), ROOT / "docs" / "speed.md", show)


def main() -> int:
    """Measure and write, or with `--check` compare what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256], help="sides of the images")
    parser.add_argument("--turns", type=int, default=5, help="how often each is timed")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--check", action="store_true", help="measure nothing; fail if the page is not up to date"
    )
    arguments = parser.parse_args()
    if arguments.check:
        return RESULTS.check()
    device = choose_device(arguments.device)
    rows = [row for size in arguments.sizes for row in measure(size, device, arguments.turns)]
    sizes = " ".join(map(str, arguments.sizes))
    command = f"python -m scripts.benchmarks.speed --sizes {sizes} --turns {arguments.turns}"
    RESULTS.keep({"command": command, "machine": machine(device), "rows": rows})
    draw(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
