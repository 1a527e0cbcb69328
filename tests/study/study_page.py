"""A study's page: what it holds, read by means other than a browser, and one opened in a browser."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.report.report_page import COLOURS

FORMAT = "monai-sr reader study, answers 1"


def saved(key, reader, value_of):
    """Answers as a page saves them; `value_of` gives the answer to a trial."""
    asked = key.readers[reader - 1]
    answers = [
        {"trial": number, "answer": value_of(trial), "milliseconds": 1000 * number}
        for number, trial in enumerate(asked.trials, start=1)
    ]
    listed = ",".join(f"{item['trial']}:{item['answer']}:{item['milliseconds']}" for item in answers)
    checked = zlib.crc32(f"{asked.token}|{key.study}|{reader}|{listed}".encode())
    content = {"format": FORMAT, "study": key.study, "reader": reader, "answers": answers}
    return json.dumps(content | {"seal": f"{checked:08x}"})


def content_of(path: Path) -> dict:
    """The JSON that a page holds."""
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', path.read_text(), re.S)
    return json.loads(found[1])


class StudyPage:
    """An opened page and whatever it requested or complained of."""

    def __init__(self, browser: Browser, path: Path, context=None, before: str = "") -> None:
        self.context = context or browser.new_context(viewport={"width": 1280, "height": 800})
        self.page: Page = self.context.new_page()
        if before:
            self.page.add_init_script(before)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
        self.settled()

    def settled(self) -> None:
        self.page.wait_for_selector("#viewer[data-state=shown], #viewer[data-state=done]", state="attached")

    def at(self, text: str) -> None:
        expect(self.page.locator("#place")).to_have_text(text)
        self.settled()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.settled()
            self.page.keyboard.press(key)

    def save(self, path: Path, button: str = "save") -> Path:
        with self.page.expect_download() as download:
            self.page.locator(f"#{button}").click()
        download.value.save_as(path)
        return path

    def load(self, path: Path) -> None:
        self.page.locator("#file").set_input_files(path)

    def drawn(self) -> None:
        self.page.evaluate(
            "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
        )

    def gray(self, view: str, row: int, column: int, shape) -> int:
        """Level that a pixel of the image is shown with, at the zoom that fits."""
        canvas = self.page.locator(f"canvas[data-view='{view}']")
        width, height = (canvas.evaluate(f"canvas => canvas.{side}") for side in ("width", "height"))
        scale = min(width / shape[1], height / shape[0])
        x = width / 2 + (column + 0.5 - shape[1] / 2) * scale
        y = height / 2 + (row + 0.5 - shape[0] / 2) * scale
        return canvas.evaluate(COLOURS, [[int(x), int(y)]])[0][0]

    def close(self) -> None:
        assert self.complaints == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in self.requests)
        self.context.close()
