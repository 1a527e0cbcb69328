from __future__ import annotations

import base64
import json
import re
import zlib

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from monai_sr.errors import InputError
from monai_sr.study import Design, build_study, page, parse_condition, read_answers
from tests.study.study_page import StudyPage, content_of

SHAPE = (24, 20)


@pytest.fixture
def opened(browser, preference):
    found = StudyPage(browser, preference[0] / "reader_1.html")
    yield found
    found.close()


def pixels(path):
    """Images of a page by their number."""
    blocks = re.findall(r'id="pixels-(\d+)-image">([^<]*)<', path.read_text())
    assert [int(number) for number, _ in blocks] == list(range(len(blocks)))
    return [
        np.frombuffer(zlib.decompress(base64.b64decode(text)), "<u2").reshape(SHAPE) for _, text in blocks
    ]


def test_a_page_tells_nothing_but_pixels(preference, conditions):
    out, key = preference
    for reader in key.readers:
        path = out / f"reader_{reader.number}.html"
        # Pixels, and what every page of every study holds.
        text = re.sub(r'<script type="text/plain".*?</script>', "", path.read_text(), flags=re.S)
        text = text.replace(page._style(), "").replace(page._script(), "")
        assert len(text) < 12_000
        for secret in ("bicubic", "edsr", "Doe", str(out), str(conditions[0].folder), str(key.seed) + '"'):
            assert secret not in text
        content = content_of(path)
        assert len({json.dumps(facts) for facts in content["slices"]}) == 1
        assert "repeat" not in json.dumps(content)


def test_the_key_tells_what_each_trial_shows(preference):
    out, key = preference
    for reader in key.readers:
        path = out / f"reader_{reader.number}.html"
        images, content = pixels(path), content_of(path)
        for trial, shown in zip(reader.trials, content["trials"], strict=True):
            # The fixture wrote the number of the condition into the first pixel.
            assert [images[stack[0]][0, 0] for stack in shown["shown"]] == list(trial.shown)
            one, other = (images[stack[0]].ravel()[1:] for stack in shown["shown"])
            np.testing.assert_array_equal(one, other)
            bounds = shown["windows"][0]["bounds"]
            np.testing.assert_allclose(
                bounds, np.percentile([images[s[0]] for s in shown["shown"]], (0.5, 99.5))
            )


def test_images_are_numbered_without_order(three, tmp_path):
    key = build_study(three, tmp_path / "study", design=Design.RATING, readers=2, seed=1)
    orders = [[image[0, 0] for image in pixels(tmp_path / "study" / f"reader_{n}.html")] for n in (1, 2)]
    assert orders[0] != orders[1]
    assert all(order != sorted(order) and order != [0, 1, 2] * 4 for order in orders)
    assert len(key.readers[0].trials) == 12


def test_a_study_is_answered_by_keyboard_closed_and_resumed(browser, preference, tmp_path):
    out, key = preference
    path = out / "reader_1.html"
    opened = StudyPage(browser, path)
    opened.at("Trial 1 of 6")
    opened.press("1", "2", "1")
    opened.at("Trial 4 of 6")
    opened.page.reload()
    opened.at("Trial 4 of 6")
    opened.page.close()
    opened = StudyPage(browser, path, opened.context)
    opened.at("Trial 4 of 6")
    opened.press("2", "2", "1")
    expect(opened.page.locator("#finished")).to_be_visible()
    expect(opened.page.locator("#viewer")).to_be_hidden()
    answers = read_answers(key, [opened.save(tmp_path / "answers.json", "save-at-end")])
    assert [answer.value for answer in answers[1]] == [1, 2, 1, 2, 2, 1]
    assert all(0 < answer.milliseconds < 60_000 for answer in answers[1])
    opened.close()


def test_answers_go_on_in_another_browser_by_their_file(browser, preference, tmp_path):
    first = StudyPage(browser, preference[0] / "reader_2.html")
    first.press("1", "1")
    first.at("Trial 3 of 6")
    file = first.save(tmp_path / "answers.json")
    text = file.read_text()
    first.close()
    second = StudyPage(browser, preference[0] / "reader_2.html")
    second.at("Trial 1 of 6")
    for name, wrong, said in (
        ("changed.json", text.replace('"answer": 1', '"answer": 2', 1), "changed"),
        ("other.json", text.replace('"reader": 2', '"reader": 1'), "of reader 1"),
        ("study.json", re.sub(r'"study": "..', '"study": "zz', text), "another study"),
        ("none.json", "[1, 2", "no answers"),
    ):
        (tmp_path / name).write_text(wrong)
        second.load(tmp_path / name)
        expect(second.page.locator("#failure")).to_contain_text(said)
        second.at("Trial 1 of 6")
    second.load(file)
    second.at("Trial 3 of 6")
    expect(second.page.locator("#failure")).to_be_hidden()
    second.press("2")
    second.at("Trial 4 of 6")
    second.load(file)
    expect(second.page.locator("#failure")).to_contain_text("answers 2 trials, and this page 3")
    second.close()


def test_a_browser_that_keeps_nothing_says_so_and_works(browser, preference, tmp_path):
    opened = StudyPage(
        browser,
        preference[0] / "reader_1.html",
        before="Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })",
    )
    opened.press("1")
    opened.at("Trial 2 of 6")
    expect(opened.page.locator("#failure")).to_contain_text("save them before you close")
    assert json.loads(opened.save(tmp_path / "answers.json").read_text())["answers"][0]["answer"] == 1
    opened.close()


def test_the_last_answer_is_taken_back(opened, tmp_path):
    opened.press("1", "2")
    opened.at("Trial 3 of 6")
    opened.page.locator("#back").click()
    opened.at("Trial 2 of 6")
    opened.page.locator("[data-answer='1']").click()
    opened.at("Trial 3 of 6")
    assert [
        item["answer"] for item in json.loads(opened.save(tmp_path / "answers.json").read_text())["answers"]
    ] == [1, 1]


def test_a_held_key_and_a_typed_number_answer_nothing(opened):
    opened.page.keyboard.down("1")
    opened.page.keyboard.down("1")
    opened.page.keyboard.down("1")
    opened.page.keyboard.up("1")
    opened.at("Trial 2 of 6")
    opened.page.locator("#centre").focus()
    opened.press("1", "2")
    opened.page.locator("#use-keys").uncheck()
    opened.press("1", "3", "x")
    opened.page.locator("canvas[data-view=left]").press("2")
    opened.drawn()
    opened.at("Trial 2 of 6")


def test_both_images_are_shown_by_one_window(opened, preference):
    path = preference[0] / "reader_1.html"
    images, content = pixels(path), content_of(path)

    def shown():
        opened.drawn()
        return [[opened.gray(view, row, 7, SHAPE) for row in range(4, 20, 3)] for view in ("left", "right")]

    for centre, width in ((30_000, 60_000), (20_000, 9_000)):
        opened.page.locator("#centre").fill(str(centre))
        opened.page.locator("#width").fill(str(width))
        expected = [
            np.floor(
                255 * np.clip((images[stack[0]][4:20:3, 7].astype(float) - centre) / width + 0.5, 0, 1) + 0.5
            ).tolist()
            for stack in content["trials"][0]["shown"]
        ]
        assert shown() == expected
    assert len(set(expected[0])) > 2
    opened.page.locator("canvas[data-view=right]").press("i")
    assert shown() == [[255 - level for level in levels] for levels in expected]
    before = float(opened.page.locator("#width").input_value())
    opened.page.locator("canvas[data-view=left]").press("ArrowRight")
    opened.drawn()
    assert float(opened.page.locator("#width").input_value()) == pytest.approx(
        before * np.exp(8 / 200), rel=1e-3
    )
    opened.page.locator("canvas[data-view=left]").press("+")
    expect(opened.page.locator("#zoom")).to_have_text("125 %")
    opened.press("1")
    opened.at("Trial 2 of 6")
    expect(opened.page.locator("#zoom")).to_have_text("100 %")
    expect(opened.page.locator("#windows")).to_have_value("0")


def test_ratings_and_slices(browser, tmp_path):
    root = tmp_path / "stacks"
    for number, name in enumerate(("one", "two")):
        (root / name).mkdir(parents=True)
        frames = [Image.fromarray(np.full(SHAPE, 1000 * k + number, np.uint16)) for k in range(5)]
        frames[0].save(root / name / "stack.tif", save_all=True, append_images=frames[1:])
    parsed = [parse_condition(str(root / name)) for name in ("one", "two")]
    question = "Noise </script><b>&"
    key = build_study(parsed, tmp_path / "study", design=Design.RATING, slices=3, question=question, seed=0)
    opened = StudyPage(browser, tmp_path / "study" / "reader_1.html")
    assert opened.page.inner_text("#question") == question
    opened.page.locator("#centre").fill("2000")
    opened.page.locator("#width").fill("4000")
    canvas = opened.page.locator("canvas[data-view=only]")
    seen = []
    for key_name in ("PageUp", "PageUp", "PageDown", "PageDown", "PageDown"):
        canvas.press(key_name)
        opened.drawn()
        seen.append((opened.page.locator("#slice").input_value(), opened.gray("only", 9, 9, SHAPE)))
    assert seen == [("1", 0), ("1", 0), ("2", 128), ("3", 255), ("3", 255)]
    opened.press("5")
    opened.at("Trial 2 of 2")
    opened.press("9", "0")
    opened.page.get_by_role("button", name="2 poor").click()
    expect(opened.page.locator("#finished")).to_be_visible()
    assert [answer.value for answer in read_answers(key, [opened.save(tmp_path / "answers.json")])[1]] == [
        5,
        2,
    ]
    opened.close()


@pytest.mark.parametrize(
    ("study", "scheme", "keys"),
    [("preference", "dark", "1"), ("rating", "light", ""), ("preference", "light", "121212")],
)
def test_anyone_can_use_it(browser, request, study, scheme, keys):
    path = request.getfixturevalue(study)[0] / "reader_2.html"
    opened = StudyPage(browser, path, browser.new_context(color_scheme=scheme))
    opened.press(*keys)
    opened.settled()
    found = Axe().run(opened.page)
    assert found.response["violations"] == [], found.generate_report()
    opened.close()


def test_too_many_images_are_refused_with_the_remedy(conditions, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MAX_BYTES", 2000)
    with pytest.raises(InputError, match="take fewer slices or cases"):
        build_study(conditions, tmp_path / "study")
    assert not (tmp_path / "study").exists()
