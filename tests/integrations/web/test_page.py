"""The page in a real browser: from a drop to the download, with the keyboard alone, for everybody."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from monai_sr.io import read_volume
from monai_sr.sample import sample_series_dir
from tests.cli.commands import invoke

LONG = 60_000
"""Milliseconds that a job may take."""


@pytest.fixture
def page(browser: Browser, server) -> Iterator[Page]:
    """The page as it opens; it fails the test for an error of a script or a request to anywhere else."""
    context = browser.new_context(accept_downloads=True)
    opened = context.new_page()
    said, asked = [], []
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    context.on("request", lambda request: asked.append(request.url))
    opened.goto(server.url)
    expect(opened.locator("#modalities label")).to_have_count(3)
    yield opened
    if not opened.locator("#restart").is_hidden():
        opened.locator("#restart").click()
        server.emptied()
    context.close()
    elsewhere = [url for url in asked if not url.startswith((f"{server.url}/", "data:", "blob:"))]
    assert asked
    assert elsewhere == []
    assert [text for text in said if "Failed to load resource" not in text] == []
    assert "PLANTED" not in "".join(asked)


def accessible(page: Page) -> None:
    """No serious finding of axe-core, light or dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page, options={"iframes": False}).response["violations"]
        assert [
            (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
        ] == []


def upscale(source: Path, out: Path, *options: str) -> None:
    """What the command makes of an image, under a name that it may tell where it warns."""
    plain = out.parent / source.name.replace("PLANTED", "plain")
    (shutil.copytree if source.is_dir() else shutil.copy)(source, plain)
    result = invoke("upscale", plain, out, "--bundle", "swift_srgan_mri", *options)
    assert result.exit_code == 0


def done(page: Page) -> Locator:
    result = page.locator("#result")
    expect(result).to_be_visible(timeout=LONG)
    return result


def downloaded(page: Page, folder: Path) -> Path:
    with page.expect_download() as download:
        page.locator("#download").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_png_is_dropped_and_comes_back_as_the_command_makes_it(page, server, images, tmp_path):
    accessible(page)
    content = list((images / "PLANTED.png").read_bytes())
    transfer = page.evaluate_handle(
        """(content) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(content)], "PLANTED.png", {type: "image/png"}));
            return transfer;
        }""",
        content,
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    expect(page.locator("#choice-title")).to_be_focused(timeout=LONG)
    expect(page.locator("#chosen-name")).to_have_text("PLANTED.png")
    expect(page.locator("#chosen-facts")).to_have_text("1 frame of 64 × 56")
    expect(page.get_by_role("radio", name="MRI", exact=True)).to_be_checked()
    page.get_by_role("radio", name="swift_srgan_mri").check()
    accessible(page)
    page.get_by_role("button", name="Super-resolve").click()
    expect(page.locator("#waiting")).to_be_visible()
    accessible(page)
    done(page)
    expect(page.locator("#outcome-title")).to_be_focused()
    expect(page.locator("#summary")).to_have_text("1 frame of 128 × 112")
    accessible(page)
    expect(page.frame_locator("#report").locator("#viewer[data-state=shown]")).to_be_visible()
    made = downloaded(page, tmp_path)
    command = tmp_path / "command.png"
    upscale(images / "PLANTED.png", command)
    np.testing.assert_array_equal(read_volume(made).array, read_volume(command).array)
    page.locator("#again").click()
    expect(page.locator("#drop")).to_be_visible()
    server.emptied()


def test_a_nifti_is_mixed_as_the_dial_says_and_survives_a_reload(page, server, images, tmp_path):
    page.locator("#files").set_input_files(images / "PLANTED.nii.gz")
    expect(page.locator("#chosen-facts")).to_have_text("3 frames of 56 × 64", timeout=LONG)
    page.get_by_role("radio", name="swift_srgan_mri").check()
    page.get_by_label("From faithful to crisp").fill("0.25")
    page.get_by_role("button", name="Super-resolve").click()
    expect(page.locator("#waiting")).to_be_visible()
    page.reload()
    done(page)
    expect(page.locator("#decision")).to_have_text("swift_srgan_mri, ×2, 25 % crisp")
    made = downloaded(page, tmp_path)
    assert made.name == "super-resolved.nii.gz"
    command = tmp_path / "command.nii.gz"
    upscale(images / "PLANTED.nii.gz", command, "--alpha", "0.25")
    one, other = read_volume(made), read_volume(command)
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_array_equal(one.affine, other.affine)


def test_a_dicom_folder_with_the_keyboard_alone(page, images, tmp_path):
    keyboard = page.keyboard
    keyboard.press("Tab")
    expect(page.locator("#files")).to_be_focused()
    keyboard.press("Tab")
    expect(page.locator("#folder")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        keyboard.press("Enter")
    chooser.value.set_files(images / "PLANTED")
    expect(page.locator("#choice-title")).to_be_focused(timeout=LONG)
    expect(page.locator("#chosen-facts")).to_have_text("DICOM, MR, 3 slices of 192 × 160")
    keyboard.press("Tab")
    expect(page.get_by_role("radio", name="MRI", exact=True)).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="swift_srgan_mri")).to_be_checked()
    for _ in ("scale", "dial", "start"):
        keyboard.press("Tab")
    expect(page.get_by_role("button", name="Super-resolve")).to_be_focused()
    outline = page.locator("#start").evaluate("button => getComputedStyle(button).outlineStyle")
    assert outline == "solid"
    keyboard.press("Enter")
    done(page)
    expect(page.locator("#outcome-title")).to_be_focused()
    keyboard.press("Tab")
    expect(page.locator("#download")).to_be_focused()
    with page.expect_download() as download:
        keyboard.press("Enter")
    made = tmp_path / download.value.suggested_filename
    download.value.save_as(made)
    upscale(images / "PLANTED", tmp_path / "command")
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        assert [Path(name).parts[0] for name in names] == ["super-resolved"] * 3
        for name, path in zip(names, sorted((tmp_path / "command").iterdir()), strict=True):
            assert archive.read(name) == path.read_bytes()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(page.locator("#files")).to_be_focused()


def test_a_zip_is_cancelled(page, server):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(sample_series_dir().iterdir()):
            archive.write(path, f"DICOM/{path.name}")
        archive.writestr("DICOMDIR", b"")
    zipped = {"name": "PLANTED.zip", "mimeType": "application/zip", "buffer": file.getvalue()}
    page.locator("#files").set_input_files(zipped)
    expect(page.locator("#chosen-facts")).to_have_text("DICOM, MR, 12 slices of 192 × 160", timeout=LONG)
    page.get_by_role("radio", name="×4, to 768 × 640").check()
    page.get_by_role("button", name="Super-resolve").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#files")).to_be_focused()
    expect(page.locator("#outcome")).to_be_hidden()
    server.emptied()


def test_mistakes_are_said_where_they_happen(page, server, images, tmp_path):
    error = page.locator("#image-error")
    page.locator("#files").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    )
    expect(error).to_contain_text("notes.txt", timeout=LONG)
    expect(page.locator("#files")).to_be_focused()
    accessible(page)
    large = tmp_path / "large.nii"
    large.write_bytes(bytes(5 * 2**20))
    page.locator("#files").set_input_files(large)
    expect(error).to_contain_text("5.0 MiB, more than the 4.0 MiB")
    damaged = tmp_path / "damaged"
    shutil.copytree(images / "PLANTED", damaged)
    worst = sorted(damaged.iterdir())[1]
    worst.write_bytes(worst.read_bytes()[:300])
    page.locator("#folder").set_input_files(damaged)
    expect(error).to_contain_text(f"File 2 is damaged/{worst.name}", timeout=LONG)
    page.locator("#files").set_input_files(images / "PLANTED.png")
    expect(page.locator("#choice")).to_be_visible(timeout=LONG)
    expect(error).to_be_hidden()
    # As after a restart of the server: nobody knows the job.
    server.client.delete(f"/jobs/{page.evaluate('sessionStorage.token')}")
    page.get_by_role("button", name="Super-resolve").click()
    expect(error).to_contain_text("Start again")
    page.evaluate("sessionStorage.token = 'another-server'")
    page.reload()
    expect(error).to_contain_text("the server was restarted. Start again")


def test_narrow_screens_need_no_scrolling_sideways(page, images):
    page.set_viewport_size({"width": 320, "height": 640})
    page.locator("#files").set_input_files(images / "PLANTED.png")
    expect(page.locator("#choice")).to_be_visible(timeout=LONG)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
