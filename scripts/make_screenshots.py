"""Draw the pictures of docs/ that show pages: a report and the local page, as a browser shows them."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from monai_sr.evaluate import bicubic
from monai_sr.io import open_volume
from monai_sr.report import write_report
from monai_sr.sample import sample_series_dir
from monai_sr.upscaler import Upscaler

DOCS = Path(__file__).parent.parent / "docs"
PATIENCE = 120_000
"""Milliseconds."""


@contextmanager
def open_page(width: int, height: int) -> Iterator[Page]:
    """An empty page of a browser.

    Args:
        width: of the window, in pixels.
        height: likewise.

    Yields:
        The page.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: install Debian's package")
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser.new_page(viewport={"width": width, "height": height})
        browser.close()


def draw_report(picture: Path) -> None:
    """Photograph the embedded series' report, zoomed in, a pixel read.

    Args:
        picture: PNG to write.
    """
    upscaler = Upscaler.from_bundle("edsr_mri", 2)
    low = open_volume(sample_series_dir())
    with tempfile.TemporaryDirectory() as folder, open_page(1440, 1600) as page:
        report = Path(folder) / "report.html"
        write_report(report, low, upscaler(low), upscaler.provenance, interpolate=bicubic)
        page.goto(report.as_uri())
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


@contextmanager
def running_app() -> Iterator[str]:
    """The local page's server, on a free port.

    Yields:
        Its address.
    """
    command = [sys.executable, "-m", "monai_sr", "app", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            found = re.search(r"http://\S+", line)
            if found is None:
                sys.exit("the app did not start; see what it printed")
            yield found[0]
        finally:
            server.terminate()


def draw_app(picture: Path) -> None:
    """Photograph the local page with the embedded series' result.

    Args:
        picture: PNG to write.
    """
    with running_app() as url, open_page(1200, 800) as page:
        page.goto(url)
        page.locator("#drop").wait_for()
        page.locator("#folder").set_input_files(sample_series_dir())
        page.locator("#choice").wait_for(timeout=PATIENCE)
        page.get_by_role("button", name="Super-resolve").click()
        page.locator("#result").wait_for(timeout=PATIENCE)
        page.frame_locator("#report").locator("#viewer[data-state=shown]").wait_for()
        page.screenshot(path=picture, full_page=True)


def main() -> None:
    """Write report.png and app.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=DOCS, help="for the pictures; docs by default"
    )
    folder: Path = parser.parse_args().folder
    draw_report(folder / "report.png")
    draw_app(folder / "app.png")


if __name__ == "__main__":
    main()
