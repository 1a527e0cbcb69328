"""A report in a browser: what its canvases show, and what it asks of a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page

COLOURS = """(canvas, points) => {
    // By a copy that is made for reading: the page's own canvas stays as fast as it is.
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    return points.map(([x, y]) => [...context.getImageData(x, y, 1, 1).data]);
}"""


class ReportPage:
    """An opened report and whatever it requested or complained of."""

    def __init__(self, browser: Browser, path: Path, **options) -> None:
        options = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"} | options
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.zoom = 1.0
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
        self.shown()

    def shown(self) -> None:
        """Wait until a slice is decoded and drawn."""
        self.page.wait_for_selector("#viewer[data-state=shown]", timeout=60_000)
        self.drawn()

    def drawn(self) -> None:
        """Wait for the next two pictures of the screen."""
        self.page.evaluate(
            "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
        )

    def view(self, name: str):
        return self.page.locator(f"canvas[data-view='{name}']")

    def fill(self, **values: object) -> None:
        for name, value in values.items():
            self.page.locator(f"#{name}").fill(str(value))
        self.drawn()

    def click(self, name: str) -> None:
        self.page.locator(f"#{name}").click()
        self.drawn()

    def choose(self, radio: str) -> None:
        self.page.locator(f"label[for='{radio}']").click()
        self.drawn()

    def press(self, view: str, *keys: str) -> None:
        for key in keys:
            self.view(view).press(key)
        self.drawn()

    def zoom_in(self, times: int) -> None:
        for _ in range(times):
            self.click("zoom-in")
            self.zoom *= 1.25

    def points(self, name: str, shape, places, centre=(0.5, 0.5)) -> list[tuple[int, int]]:
        """Where the middles of pixels (row, column) of an image of square pixels lie on a canvas."""
        width, height = (self.view(name).evaluate(f"canvas => canvas.{side}") for side in ("width", "height"))
        scale = min(width / shape[1], height / shape[0]) * self.zoom
        left, top = width / 2 - centre[1] * shape[1] * scale, height / 2 - centre[0] * shape[0] * scale
        found = [(int(left + (c + 0.5) * scale), int(top + (r + 0.5) * scale)) for r, c in places]
        assert all(0 <= x < width and 0 <= y < height for x, y in found), (
            "a pixel outside the view was asked for"
        )
        return found

    def colours(self, name: str, points) -> np.ndarray:
        """Red, green and blue at points of a canvas, shape (n, 3)."""
        return np.array(self.view(name).evaluate(COLOURS, np.asarray(points).tolist()))[:, :3]

    def text(self, name: str) -> str:
        return self.page.locator(f"#{name}").inner_text()

    def value(self, name: str) -> str:
        return self.page.locator(f"#{name}").input_value()


def gray(values, centre, width):
    """The window's formula, independently of the page's."""
    share = np.clip((np.asarray(values, dtype=np.float64) - centre) / width + 0.5, 0, 1)
    return np.floor(255 * share + 0.5).astype(int)
