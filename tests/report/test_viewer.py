"""What a person sees and does in a report, in a real browser."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from monai_sr.report import Comparison, Picture, encode, write_page
from tests.report.report_page import ReportPage, gray

SHAPE = (384, 320)
MIDDLE = 6
"""The slice of twelve that is shown first, from 0."""
PLACES = [(row, column) for row in range(177, 207, 4) for column in range(146, 174, 4)]


@pytest.fixture
def opened(browser, report):
    page = ReportPage(browser, report)
    yield page
    assert page.complaints == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in page.requests)
    page.context.close()


@pytest.fixture
def images(low, high, interpolated):
    """Every view's real values on the finest grid, of the slice that is shown first."""
    coarse = low.array[MIDDLE].repeat(2, axis=0).repeat(2, axis=1).astype(int)
    return {"low": coarse, "bicubic": interpolated[MIDDLE].astype(int), "sr": high.array[MIDDLE].astype(int)}


def at(image, places=PLACES):
    return np.array([image[row, column] for row, column in places])


def shown(opened, name, places=PLACES, centre=(0.5, 0.5)):
    return opened.colours(name, opened.points(name, SHAPE, places, centre))


@pytest.mark.parametrize(("centre", "width"), [(2048, 4096), (2900.5, 1500), (2100, 12), (0, 1)])
def test_the_window_acts_on_stored_values_as_the_formula_says(opened, images, centre, width):
    opened.zoom_in(10)
    opened.fill(centre=centre, width=width)
    for name, image in images.items():
        expected = gray(at(image), centre, width)
        np.testing.assert_array_equal(shown(opened, name), np.repeat(expected[:, None], 3, axis=1))
    if width == 1500:
        assert len(np.unique(expected)) > 20  # a test of one gray would prove little


def test_a_difference_is_coloured_by_its_sign_and_size(opened, images):
    opened.zoom_in(10)
    opened.fill(difference=100)
    difference = at(images["sr"]) - at(images["bicubic"])
    assert difference.min() < -20
    assert difference.max() > 20
    share = np.floor(np.clip(np.abs(difference) / 100, 0, 1) * 256 + 0.5)[:, None] / 256
    expected = np.where(difference[:, None] > 0, (255, 168, 60), (88, 166, 255)) * share
    np.testing.assert_allclose(shown(opened, "sr-bicubic"), expected, atol=1)


def test_the_divider_moves_by_mouse_and_by_keyboard(opened, images):
    opened.zoom_in(10)
    opened.fill(centre=2000, width=3000)
    box = opened.view("compare").bounding_box()
    points = np.array(opened.points("compare", SHAPE, PLACES))

    def check(percent):
        left = points[:, 0] < box["width"] * percent / 100
        values = np.where(left, at(images["bicubic"]), at(images["sr"]))
        np.testing.assert_array_equal(opened.colours("compare", points)[:, 0], gray(values, 2000, 3000))
        assert 0 < left.sum() < len(left)

    check(50)
    mouse, y = opened.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] / 2, y)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.4, y, steps=4)
    mouse.up()
    opened.drawn()
    assert float(opened.value("divider")) == pytest.approx(40, abs=0.5)
    check(40)
    opened.page.locator("#divider").press("ArrowRight")
    opened.press("compare", *"...")
    assert float(opened.value("divider")) == pytest.approx(46.5, abs=0.5)
    check(46.5)


def test_slices_are_reached_by_button_slider_and_key(opened, high):
    opened.zoom_in(10)
    opened.fill(centre=2000, width=3000)
    for act, index in (
        (lambda: opened.click("next"), MIDDLE + 1),
        (lambda: opened.page.locator("#slice").press("Home"), 0),
        (lambda: opened.press("sr", "PageDown", "PageDown"), 2),
        (lambda: opened.press("low", "PageUp"), 1),
    ):
        act()
        expect(opened.page.locator("#label")).to_have_text(f"Slice {index + 1} of 12")
        opened.drawn()
        np.testing.assert_array_equal(
            shown(opened, "sr")[:, 0], gray(at(high.array[index].astype(int)), 2000, 3000)
        )


def test_zoom_and_place_are_linked(opened, images):
    opened.fill(centre=2000, width=3000)
    opened.press("low", *["+"] * 10)
    opened.zoom = 1.25**10
    assert opened.text("zoom") == "931 %"
    opened.choose("tool-pan")
    box = opened.view("sr").bounding_box()
    scale = min(box["width"] / SHAPE[1], box["height"] / SHAPE[0]) * opened.zoom
    mouse = opened.page.mouse
    mouse.move(box["x"] + 100, box["y"] + 100)
    mouse.down()
    mouse.move(box["x"] + 100 - 30 * scale, box["y"] + 100 - 20 * scale, steps=5)
    mouse.up()
    opened.drawn()
    places = [(row + 20, column + 30) for row, column in PLACES]
    centre = (0.5 + 20 / SHAPE[0], 0.5 + 30 / SHAPE[1])
    for name, image in images.items():
        np.testing.assert_array_equal(
            shown(opened, name, places, centre)[:, 0], gray(at(image, places), 2000, 3000), err_msg=name
        )
    opened.press("sr", "0")
    assert opened.text("zoom") == "100 %"


def test_ctrl_and_wheel_zoom_at_the_pointer(opened, images):
    opened.fill(centre=2000, width=3000)
    box = opened.view("sr").bounding_box()
    # A wheel tells its place in whole pixels of the screen; away from the middle, what is there must stay.
    x, y = round(box["x"] + box["width"] * 0.55), round(box["y"] + box["height"] * 0.45)
    opened.page.mouse.move(x, y)
    opened.page.keyboard.down("Control")
    opened.page.mouse.wheel(0, -400)
    opened.page.keyboard.up("Control")
    expect(opened.page.locator("#zoom")).to_have_text("739 %")
    opened.drawn()
    opened.zoom = np.exp(2)
    scale = min(box["width"] / SHAPE[1], box["height"] / SHAPE[0])
    off = [(y - box["y"] - box["height"] / 2) / scale, (x - box["x"] - box["width"] / 2) / scale]
    centre = [0.5 + away / size * (1 - 1 / opened.zoom) for away, size in zip(off, SHAPE, strict=True)]
    places = [(row - 17, column + 13) for row, column in PLACES]
    np.testing.assert_array_equal(
        shown(opened, "sr", places, centre)[:, 0], gray(at(images["sr"], places), 2000, 3000)
    )


@pytest.mark.parametrize(("axis", "row", "column"), [("row", 200, 31), ("column", 7, 150)])
def test_a_profile_holds_the_values_of_the_images(opened, images, axis, row, column):
    opened.choose(f"axis-{axis}")
    opened.fill(**{"marker-row": row + 1, "marker-column": column + 1})
    opened.page.locator("#profile-values summary").click()
    opened.page.wait_for_selector("#profile-values tbody tr")
    cells = opened.page.eval_on_selector_all(
        "#profile-values tbody tr",
        "rows => rows.map(row => [...row.cells].map(cell => Number(cell.textContent)))",
    )
    line = np.s_[row, :] if axis == "row" else np.s_[:, column]
    expected = np.stack([images[name][line] for name in ("low", "bicubic", "sr")], axis=1)
    np.testing.assert_array_equal(np.array(cells)[:, 1:], expected)
    np.testing.assert_array_equal(np.array(cells)[:, 0], np.arange(len(expected)) + 1)
    readout = opened.text("readout")
    assert f"Row {row + 1}, column {column + 1}" in readout
    assert f"super-resolution {images['sr'][row, column]}" in readout


def test_a_click_reads_a_pixel(opened, images):
    opened.zoom_in(10)
    opened.choose("tool-profile")
    x, y = opened.points("low", SHAPE, [(190, 165)])[0]
    opened.view("low").click(position={"x": x, "y": y})
    opened.drawn()
    assert opened.text("readout").startswith(
        f"Row 191, column 166: low resolution {images['low'][190, 165]}, "
    )
    assert (opened.value("marker-row"), opened.value("marker-column")) == ("191", "166")


def test_dragging_changes_the_window_and_a_difference_its_range(opened):
    before = float(opened.value("centre")), float(opened.value("width"))
    for name, right, down in (("sr", 60, -40), ("sr-bicubic", 0, 50)):
        box = opened.view(name).bounding_box()
        opened.page.mouse.move(box["x"] + 60, box["y"] + 100)
        opened.page.mouse.down()
        opened.page.mouse.move(box["x"] + 60 + right, box["y"] + 100 + down, steps=3)
        opened.page.mouse.up()
        opened.drawn()
        if name == "sr":
            after = float(opened.value("centre")), float(opened.value("width"))
            ranged = float(opened.value("difference"))
    assert after[0] < before[0]  # up is brighter
    assert after[1] == pytest.approx(before[1] * np.exp(60 / 200), rel=1e-3)
    assert float(opened.value("difference")) == pytest.approx(ranged * np.exp(50 / 200), rel=1e-3)
    assert (float(opened.value("centre")), float(opened.value("width"))) == after


def test_the_histogram_and_the_names_of_windows_follow_the_window(opened, low, high):
    assert opened.value("windows") == "0"
    assert opened.page.locator("#windows option").all_inner_texts() == [
        "as the file asks",
        "automatic",
        "full range",
        "own",
    ]
    assert "0 (black) to 4096 (white)" in opened.text("histogram-summary")
    opened.fill(centre=1000, width=500)
    assert opened.value("windows") == "own"
    assert "750 (black) to 1250 (white)" in opened.text("histogram-summary")
    opened.page.locator("#invert").check()
    opened.drawn()
    assert "750 (white) to 1250 (black)" in opened.text("histogram-summary")
    opened.click("reset-window")
    assert opened.value("windows") == "0"


def test_the_keyboard_alone_reaches_and_does_everything(opened):
    page = opened.page
    reached, outlines = [], []
    for _ in range(60):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => {
                const focused = document.activeElement;
                const seen = focused.type === "radio" ? focused.nextElementSibling : focused;
                const name = focused.id || focused.dataset.view || focused.tagName;
                return [name, getComputedStyle(seen).outlineStyle];
            }"""
        )
        if name == "BODY":
            break
        reached.append(name)
        outlines.append(outline)
    controls = "previous slice next tool-window centre width windows reset-window invert difference"
    controls += " zoom-out zoom-in fit left right compare divider low bicubic sr sr-bicubic"
    controls += " axis-row marker-row marker-column"
    assert [name for name in reached if name in controls.split()] == controls.split()
    assert set(outlines) == {"solid"}
    before = float(opened.value("width"))
    opened.press("sr", "ArrowRight", "Shift+ArrowRight")
    assert float(opened.value("width")) == pytest.approx(before * np.exp(48 / 200), rel=1e-3)
    opened.press("sr", "r", "i")
    assert float(opened.value("width")) == before
    assert page.locator("#invert").is_checked()
    opened.press("sr", "l", "ArrowDown", "ArrowDown", "ArrowRight", "Shift+ArrowUp")
    assert "Row 190, column 162:" in opened.text("readout")
    opened.press("sr", *["+"] * 5, "p", "ArrowLeft", "-")
    assert opened.text("zoom") == "244 %"
    assert page.locator("#tool-pan").is_checked()
    page.locator("#tool-pan").press("ArrowRight")
    opened.drawn()
    assert page.locator("#tool-profile").is_checked()


def test_a_shortcut_is_left_alone_outside_the_images(opened):
    opened.page.locator("#centre").focus()
    for key in ("i", "PageDown", "l"):
        opened.page.keyboard.press(key)
    opened.drawn()
    assert not opened.page.locator("#invert").is_checked()
    assert opened.text("label") == "Slice 7 of 12"


HEAT = np.array([[0, 0, 0], [110, 30, 115], [235, 100, 35], [255, 250, 165]])


def heat(share):
    """The map's colours, independently of the page's."""
    places = np.clip(share, 0, 1) * 3
    return np.stack([np.interp(places, range(4), channel) for channel in HEAT.T], axis=-1)


def test_half_widths_are_a_map_with_a_scale(browser, report_with_intervals, half_width):
    opened = ReportPage(browser, report_with_intervals)
    top = opened.page.inner_text("[data-layer=interval] .to")
    assert top.startswith("≥ ")
    assert float(top[2:]) == pytest.approx(np.percentile(half_width[half_width > 0], 99), rel=0.02)
    assert opened.page.inner_text("[data-layer=interval] .from") == "0"
    opened.zoom_in(10)
    held = np.ceil(at(half_width[MIDDLE]) / (1000 / 254)) * 1000 / 254
    expected = heat(held / float(top[2:]))
    np.testing.assert_allclose(shown(opened, "interval"), expected, atol=4)
    # Beside an image at the divider, too.
    opened.page.select_option("#left", "interval")
    opened.drawn()
    assert opened.text("tag-left") == "Half-width of the interval"
    points = opened.points("compare", SHAPE, PLACES[:3])
    np.testing.assert_allclose(opened.colours("compare", points), expected[:3], atol=4)
    assert opened.complaints == []
    opened.context.close()


def test_the_half_width_under_the_pointer_is_told(browser, report_with_intervals):
    opened = ReportPage(browser, report_with_intervals)
    under = opened.page.locator("[data-under=interval]")
    opened.zoom_in(10)
    # The planted pixel is told, and nowhere else.
    for place, value in (((190, 165), "1000"), ((190, 166), "106"), ((180, 150), "94.5")):
        for name in ("sr", "low"):
            (x, y), box = opened.points(name, SHAPE, [place])[0], opened.view(name).bounding_box()
            opened.page.mouse.move(box["x"] + x, box["y"] + y)
            assert under.inner_text() == f"row {place[0] + 1}, column {place[1] + 1}: {value}"
    opened.fill(**{"marker-row": 191, "marker-column": 166})
    assert opened.text("readout").endswith("; half-width of the interval 1000")
    opened.context.close()


def test_a_map_is_shown_only_with_the_slices_that_have_one(browser, tmp_path):
    picture = Picture(np.arange(64, dtype=np.int16).reshape(8, 8))
    finer = Picture(picture.array.repeat(2, 0).repeat(2, 1))
    cutoff = np.full((16, 16), 1.5)
    cutoff[:8], cutoff[8:, 8:] = 0.25, np.nan
    pages = [
        encode(Comparison(label, picture, finer, finer, maps=maps, note=note))
        for label, maps, note in (("with", {"cutoff": cutoff}, "told"), ("without", {}, ""))
    ]
    write_page(tmp_path / "r.html", pages, title="maps", facts={})
    opened = ReportPage(browser, tmp_path / "r.html")
    pane = opened.page.locator("[data-layer=cutoff]")
    # Black is well, and the brighter the worse.
    points = opened.points("cutoff", (16, 16), [(12, 3), (3, 3), (12, 12)])
    colours = opened.colours("cutoff", points)
    np.testing.assert_allclose(colours, [(0, 0, 0), *heat(np.array([0.75])), (72, 76, 82)], atol=4)
    assert [pane.locator(f".{end}").inner_text() for end in ("from", "to")] == ["≥ 1", "0"]
    assert opened.text("note") == "told"
    opened.page.select_option("#left", "cutoff")
    opened.click("next")
    expect(opened.page.locator("#label")).to_have_text("without")
    opened.drawn()
    assert not pane.is_visible()
    assert not opened.page.locator("#note").is_visible()
    assert opened.complaints == []
    opened.context.close()


def test_a_slice_that_is_asked_for_while_another_is_drawn_is_not_mixed_up_with_it(opened, high):
    opened.zoom_in(10)
    opened.fill(centre=2000, width=3000)
    # The next slice is asked for after one was loaded, before it is drawn.
    opened.page.evaluate(
        """() => {
            const next = () => document.getElementById("next").click();
            new MutationObserver((_, watch) => { watch.disconnect(); next(); })
                .observe(document.getElementById("label"), { childList: true });
            next();
        }"""
    )
    expect(opened.page.locator("#label")).to_have_text(f"Slice {MIDDLE + 3} of 12")
    opened.drawn()
    expected = gray(at(high.array[MIDDLE + 2].astype(int)), 2000, 3000)
    np.testing.assert_array_equal(shown(opened, "sr")[:, 0], expected)
