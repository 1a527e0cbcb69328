"""Pictures of the local web page at work, for the documentation: `python -m scripts.app_screenshots FOLDER`.

Drives the real server with the embedded sample in Chromium, light and dark.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from monai_sr.sample import sample_series_dir

WIDTH, HEIGHT = 1200, 800
PATIENCE = 120_000
"""Milliseconds."""


@contextmanager
def running_app() -> Iterator[str]:
    """The server on a free port.

    Yields:
        Its address.
    """
    command = [sys.executable, "-m", "monai_sr", "app", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            found = re.search(r"http://\S+", line)
            if found is None:
                raise RuntimeError("the app did not start; see what it printed")
            yield found[0]
        finally:
            server.terminate()


def take(page: Page, folder: Path, prefix: str) -> None:
    """Take a picture of each step.

    Args:
        page: where the app is open.
        folder: for the pictures.
        prefix: of their names.
    """

    def shoot(step: str) -> None:
        page.screenshot(path=folder / f"{prefix}_{step}.png", full_page=True)

    page.locator("#drop").wait_for()
    shoot("image")
    page.locator("#folder").set_input_files(sample_series_dir())
    page.locator("#choice").wait_for(timeout=PATIENCE)
    shoot("choice")
    page.get_by_role("button", name="Super-resolve").click()
    page.locator("#result").wait_for(timeout=PATIENCE)
    page.frame_locator("#report").locator("#viewer[data-state=shown]").wait_for()
    shoot("result")
    page.locator("#again").click()


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with running_app() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
            page.goto(url)
            take(page, folder, f"app_{scheme}")
        browser.close()


if __name__ == "__main__":
    main()
