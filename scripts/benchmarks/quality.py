"""Measure every released bundle on a test set and write the tables that README and the cards show."""

from __future__ import annotations

import argparse
from pathlib import Path

from monai_sr.bundle import Bundle
from monai_sr.evaluate import EvaluationResult, evaluate, make_degradation, read_datalist
from monai_sr.upscaler import Upscaler

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "haar_psi": ("HaarPSI", 4),
    "spectrum_error_high": ("high spectrum error, dB", 2),
}
START, END = "<!-- results: scripts/benchmarks/quality.py writes this part -->", "<!-- end of results -->"
COMMAND = "python scripts/benchmarks/quality.py --datalist DATALIST"


def rows(result: EvaluationResult, bundle: str, scale: int, kernel: str, with_baselines: bool) -> list[str]:
    """Table rows of one evaluation.

    Args:
        result: what `evaluate` returned.
        bundle: name that stands for the super-resolution's row.
        scale: scale factor.
        kernel: short name of the degradation.
        with_baselines: whether to give the interpolations' rows too.

    Returns:
        Markdown rows.
    """
    lines = []
    for method, metrics in result.summary.items():
        baseline = method in ("bicubic", "lanczos")
        if baseline and not with_baselines:
            continue
        cells = [f"x{scale}", kernel, method if baseline else f"**{bundle}**"]
        cells += [f"{metrics[key].mean:.{digits}f}" for key, (_, digits) in COLUMNS.items()]
        gain = result.differences.get(method, {}).get("psnr")
        cells.append(
            ""
            if gain is None or method == "bicubic"
            else f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def table(lines: list[str]) -> str:
    """A whole Markdown table from its rows."""
    titles = [
        "scale",
        "kernel",
        "method",
        *(title for title, _ in COLUMNS.values()),
        "PSNR gain on bicubic, dB",
    ]
    return "\n".join([f"| {' | '.join(titles)} |", "|---" * len(titles) + "|", *lines])


def put_between(path: Path, text: str) -> None:
    """Replace what stands between the markers in a file."""
    before, rest = path.read_text(encoding="utf-8").split(START)
    path.write_text(f"{before}{START}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> None:
    """Evaluate, then rewrite the tables in README and the cards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--datalist", type=Path, required=True, help="datalist JSON whose test part is measured"
    )
    parser.add_argument("--kernels", nargs="+", default=["bicubic", "kspace"])
    parser.add_argument("--output", type=Path, default=Path("quality"), help="folder of the evaluations")
    parser.add_argument("--max-slices", type=int, help="evenly spaced slices of each file; all by default")
    arguments = parser.parse_args()
    items = read_datalist(arguments.datalist, "test")
    folders = sorted(card.parents[1] for card in (ROOT / "bundles").glob("*/configs/metadata.json"))
    pairs = sorted({scale for folder in folders for scale in Bundle(folder).scale_factors})
    lines: dict[str, list[str]] = {"README": [], **{folder.name: [] for folder in folders}}
    conventions: dict[str, str] = {}
    for scale in pairs:
        for kernel in arguments.kernels:
            with_baselines = True
            for folder in folders:
                if scale not in Bundle(folder).scale_factors:
                    continue
                upscaler = Upscaler.from_bundle(folder, scale)
                about = {"bundle": folder.name, "weights_sha256": upscaler.provenance.weights_sha256}
                result = evaluate(
                    upscaler,
                    items,
                    degradation=make_degradation(kernel, scale),
                    scale_factor=scale,
                    out_dir=arguments.output / f"{folder.name}_x{scale}_{kernel}",
                    max_slices=arguments.max_slices,
                    about=about,
                    overwrite=True,
                )
                conventions = dict(result.conventions)
                lines[folder.name] += rows(result, folder.name, scale, kernel, with_baselines=True)
                if kernel == "bicubic":
                    lines["README"] += rows(result, folder.name, scale, kernel, with_baselines)
                with_baselines = False
                print(*lines[folder.name][-3:], sep="\n", flush=True)
    kept = (
        "channel",
        "border",
        "intensities",
        "data_range",
        "PSNR",
        "SSIM, MS-SSIM",
        "HaarPSI",
        "spectrum error",
        "bicubic",
        "lanczos",
        "slices",
        "patients",
        "interval",
        "versions",
    )
    stated = "\n".join(f"- {key}: {conventions[key]}" for key in kept)
    made_by = f"{COMMAND} --kernels {' '.join(arguments.kernels)}"
    if arguments.max_slices is not None:
        made_by += f" --max-slices {arguments.max_slices}"
    note = f"\n\nMade by `{made_by}`, which also writes the scores of each image. Conventions:\n{stated}"
    put_between(ROOT / "README.md", table(lines["README"]) + note)
    for folder in folders:
        put_between(folder / "docs" / "README.md", table(lines[folder.name]) + note)


if __name__ == "__main__":
    main()
