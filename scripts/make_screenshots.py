"""Draw the pictures of docs/ that show pages: the embedded series' report, as a browser shows it."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from monai_sr.evaluate import bicubic
from monai_sr.io import open_volume
from monai_sr.report import write_report
from monai_sr.sample import sample_series_dir
from monai_sr.upscaler import Upscaler

DOCS = Path(__file__).parent.parent / "docs"


def screenshot(page_file: Path, picture: Path, scheme: str) -> None:
    """Open a report, zoom in, read a pixel and photograph it.

    Args:
        page_file: the report.
        picture: PNG to write.
        scheme: light or dark.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: install Debian's package")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 1600}, color_scheme=scheme)
        page.goto(page_file.as_uri())
        page.wait_for_selector("#viewer[data-state=shown]")
        page.fill("#centre", "2300")
        page.fill("#width", "2800")
        page.hover("canvas[data-view=compare]", position={"x": 330, "y": 620})
        page.keyboard.down("Control")
        page.mouse.wheel(0, -180)
        page.keyboard.up("Control")
        page.fill("#marker-row", "262")
        page.fill("#marker-column", "128")
        page.locator("#marker-column").blur()
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(500)
        page.screenshot(path=picture)
        browser.close()


def main() -> None:
    """Write docs/report.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=DOCS / "report.png", help="PNG to write")
    parser.add_argument("--bundle", default="edsr_mri")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    arguments = parser.parse_args()
    upscaler = Upscaler.from_bundle(arguments.bundle, 2)
    low = open_volume(sample_series_dir())
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.html"
        write_report(report, low, upscaler(low), upscaler.provenance, interpolate=bicubic)
        screenshot(report, arguments.output, arguments.scheme)


if __name__ == "__main__":
    main()
