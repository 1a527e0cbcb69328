"""A report in a browser: who can use it, and what it may ask for."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from monai_sr.evaluate import bicubic
from monai_sr.report import Comparison, Picture, Table, encode, write_page, write_report
from tests.report.conftest import PROVENANCE, volume
from tests.report.report_page import ReportPage


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (320, 568)])
def test_axe_finds_no_barrier(browser, report_with_intervals, scheme, width, height):
    opened = ReportPage(
        browser, report_with_intervals, color_scheme=scheme, viewport={"width": width, "height": height}
    )
    opened.page.locator("#profile-values summary").click()
    for summary in opened.page.locator("details:not([open]) > summary").all():
        summary.click()
    found = Axe().run(opened.page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in opened.requests)
    opened.context.close()


@pytest.mark.parametrize("width", [320, 720, 1100])
def test_a_narrow_window_is_never_scrolled_sideways(browser, report_with_intervals, width):
    # 720 is a screen of 1440 at 200%, 320 one of 1280 at 400%.
    size = {"width": width, "height": 450}
    opened = ReportPage(browser, report_with_intervals, viewport=size, device_scale_factor=2)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    opened.page.set_viewport_size({"width": width + 200, "height": 450})
    opened.drawn()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width + 200
    opened.context.close()


def test_the_policy_lets_nothing_else_run_or_load(browser, report, tmp_path):
    text = report.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)[1]
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe" not in policy
    planted = '<script>document.title = "ran"</script><img src="http://127.0.0.1:9/x.png"></body>'
    (tmp_path / "planted.html").write_text(text.replace("</body>", planted), encoding="utf-8")
    opened = ReportPage(browser, tmp_path / "planted.html")
    assert opened.page.title() == "Super-resolution report"
    assert "refused" in opened.page.evaluate(
        "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"
    )
    assert len(opened.complaints) >= 3
    assert "Content Security Policy" in " ".join(opened.complaints)
    opened.context.close()


def test_an_old_browser_is_told_so(browser, report):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(report.as_uri())
    page.wait_for_selector("#failure:not([hidden])")
    assert "too old" in page.inner_text("#failure")
    context.close()


def test_texts_are_texts(browser, tmp_path):
    hostile = "</script><script>document.title='ran'</script>&amp;\"'"
    picture = Picture(np.arange(64, dtype=np.int16).reshape(8, 8))
    finest = Picture(picture.array.repeat(2, 0).repeat(2, 1))
    encoded = encode(Comparison(hostile, picture, finest, finest, finest))
    table = Table(hostile, ("method", hostile), [(hostile, "1")])
    write_page(
        tmp_path / "r.html",
        [encoded],
        title=hostile,
        facts={hostile: hostile},
        tables=[table],
        conventions={"a": hostile},
    )
    opened = ReportPage(browser, tmp_path / "r.html")
    assert opened.page.title() == hostile
    assert opened.text("label") == hostile
    assert opened.page.inner_text(".scores td") == "1"
    assert opened.complaints == []
    opened.context.close()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 16, 12), np.int16),
        np.full((2, 16, 12), 7.5, np.float64),
        np.full((1, 16, 12), np.nan, np.float32),
        np.where(
            np.arange(192).reshape(1, 16, 12) % 7, np.linspace(-1e-7, 1e-7, 192).reshape(1, 16, 12), np.inf
        ),
        np.linspace(-1e30, 1e30, 192, dtype=np.float32).reshape(1, 16, 12),
    ],
    ids=["zero", "constant", "nothing", "tiny and infinite", "huge"],
)
def test_a_strange_image_is_shown(browser, tmp_path, array):
    low = volume(array, stored_range=(-np.inf, np.inf))
    high = replace(low, array=array.repeat(2, axis=1).repeat(2, axis=2))
    write_report(tmp_path / "r.html", low, high, PROVENANCE, interpolate=bicubic)
    opened = ReportPage(browser, tmp_path / "r.html")
    opened.choose("tool-profile")
    opened.press("sr", "+", "ArrowRight")
    opened.press("sr", "w", "ArrowRight", "ArrowUp")
    assert opened.complaints == []
    assert "NaN" not in opened.page.inner_text("body")
    opened.context.close()
