"""A report as a file: what it holds and what not."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pydicom
import pytest

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.evaluate import bicubic
from monai_sr.io import open_volume
from monai_sr.report import Comparison, Picture, check_page, encode, slices, write_report
from monai_sr.sample import sample_series_dir
from monai_sr.volume import LazyFrames
from tests.report.conftest import PROVENANCE, finer, volume

NUMPY = {
    "Int16Array": "<i2",
    "Uint8Array": "u1",
    "Uint16Array": "<u2",
    "Float32Array": "<f4",
    "Float64Array": "<f8",
}


class Blocks(HTMLParser):
    """The texts of scripts by their ids."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._id = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._id = dict(attrs).get("id") if tag == "script" else None

    def handle_data(self, data):
        if self._id:
            self.found[self._id] = self.found.get(self._id, "") + data


def read(path):
    """What a page says of its slices, and their stored values, by means other than a browser."""
    blocks = Blocks(path.read_text(encoding="utf-8")).found
    content = json.loads(blocks["content"])
    arrays = [
        {
            name: np.frombuffer(
                zlib.decompress(base64.b64decode(blocks[f"pixels-{number}-{name}"])), NUMPY[image["type"]]
            ).reshape(image["rows"], image["columns"])
            for name, image in facts["images"].items()
        }
        for number, facts in enumerate(content["slices"])
    ]
    return content, arrays


def written(path, low, high=None, **options):
    write_report(path, low, high or finer(low), PROVENANCE, interpolate=bicubic, **options)
    return read(path)


def test_a_report_holds_the_stored_values_of_every_slice(report, low, high, interpolated):
    content, arrays = read(report)
    assert [facts["label"] for facts in content["slices"]] == [f"Slice {n} of 12" for n in range(1, 13)]
    for index, images in enumerate(arrays):
        np.testing.assert_array_equal(images["low"], low.array[index])
        np.testing.assert_array_equal(images["sr"], high.array[index])
        np.testing.assert_array_equal(images["bicubic"], interpolated[index])
        assert images["low"].dtype == low.array.dtype


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", ">i2", "u4", "i4", "f4", "f8", "f2", "i8"])
def test_values_of_every_type_are_kept(dtype):
    array = np.array([[0, 1], [100, 127]]).astype(dtype)
    encoded = encode(Comparison("a", Picture(array), *[Picture(array.repeat(2, 0).repeat(2, 1))] * 2))
    kind = encoded.facts["images"]["low"]["type"]
    raw = zlib.decompress(base64.b64decode(encoded.blocks["low"]))
    names = {"Int8Array": "i1", "Uint32Array": "<u4", "Int32Array": "<i4"} | NUMPY
    np.testing.assert_array_equal(np.frombuffer(raw, names[kind]).reshape(2, 2), array)


def test_each_frame_has_its_own_rescaling_and_padding_takes_no_part(tmp_path):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 1000, (3, 16, 20)).astype(np.int16)
    array[:, :4] = -2000
    low = volume(
        array, slope=np.array([1.0, 2.0, 0.5]), intercept=np.array([0.0, -10, 5]), padding=(-2000, -2000)
    )
    high = replace(low, array=array.repeat(2, axis=1).repeat(2, axis=2))
    content, arrays = written(tmp_path / "r.html", low, high)
    assert [facts["images"]["sr"]["slope"] for facts in content["slices"]] == [1, 2, 0.5]
    assert -500 < content["extremes"][0] <= -10  # without the padding, at -4010
    for images in arrays:
        assert (images["bicubic"][:8] == -2000).all()
        assert images["bicubic"][8:].min() > -500  # an edge of 2000 would have rung


def test_the_header_and_the_photometric_interpretation_choose_the_view(tmp_path, low):
    for file in sample_series_dir().iterdir():
        dataset = pydicom.dcmread(file)
        dataset.PhotometricInterpretation = "MONOCHROME1"
        dataset.WindowCenter, dataset.WindowWidth = [700, 1], [300, 1]
        dataset.save_as(tmp_path / file.name)
    content, _ = written(tmp_path / "r.html", open_volume(tmp_path))
    assert content["inverted"] is True
    assert content["windows"][0] == {"name": "as the file asks", "bounds": [550, 850]}


def test_a_report_names_no_patient(tmp_path):
    names = ("Doe^Jane", "secret-id", "PLANTED")
    for file in sample_series_dir().iterdir():
        dataset = pydicom.dcmread(file)
        dataset.PatientName, dataset.PatientID = names[:2]
        dataset.SeriesDescription = dataset.StudyDescription = dataset.ProtocolName = names[2]
        dataset.StudyDate = dataset.PatientBirthDate = "19530417"
        folder = tmp_path / "Doe_folder"
        folder.mkdir(exist_ok=True)
        dataset.save_as(folder / file.name)
    low = open_volume(folder)
    write_report(tmp_path / "r.html", low, finer(low), PROVENANCE, interpolate=bicubic)
    page = re.sub(r'<script type="text/plain".*?</script>', "", (tmp_path / "r.html").read_text(), flags=re.S)
    uids = {str(element.value) for element in dataset.iterall() if element.VR == "UI"}
    assert len(uids) > 3
    for text in (*names, *uids, "19530417", "1953", "Doe_folder", str(tmp_path), file.name):
        assert text not in page


def test_a_report_is_bounded(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    asked = []

    def frame(index):
        asked.append(index)
        return rng.integers(0, 4000, (40, 30)).astype(np.int16)

    many = volume(
        LazyFrames((1000, 40, 30), np.dtype(np.int16), frame), slope=np.ones(1000), intercept=np.zeros(1000)
    )
    high = replace(
        many,
        array=LazyFrames((1000, 80, 60), np.dtype(np.int16), lambda i: frame(i).repeat(2, 0).repeat(2, 1)),
    )
    content, arrays = written(tmp_path / "many.html", many, high)
    assert len(arrays) == 24
    assert content["slices"][0]["label"] == "Slice 21 of 1000"
    assert "24 of 1000 slices, evenly spaced" in (tmp_path / "many.html").read_text()
    assert len(set(asked)) < 30  # a long series is not decoded to show some of it
    monkeypatch.setattr(slices, "MAX_BYTES", 60_000)
    _, arrays = written(tmp_path / "small.html", many, high)
    assert 1 <= len(arrays) < 6
    size = (tmp_path / "small.html").stat().st_size - (tmp_path / "many.html").stat().st_size
    assert size < 0


def test_of_a_large_image_the_most_varied_part_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(slices, "MAX_SIDE", 64)
    array = np.full((1, 300, 200), 500, np.uint16)
    array[0, 130:162, 90:122] = np.random.default_rng(0).integers(0, 4000, (32, 32))
    low = volume(array, stored_range=(0, 65535))
    high = finer(low)
    _, (images,) = written(tmp_path / "r.html", low, high)
    assert images["low"].shape == (32, 32)
    text = (tmp_path / "r.html").read_text()
    rows, columns = re.search(r"rows (\d+) to \d+ of 300 and columns (\d+) to \d+ of 200", text).groups()
    row, column = int(rows) - 1, int(columns) - 1
    assert abs(row - 130) <= 4
    assert abs(column - 90) <= 4
    np.testing.assert_array_equal(images["low"], array[0, row : row + 32, column : column + 32])
    part = np.s_[2 * row : 2 * row + 64, 2 * column : 2 * column + 64]
    np.testing.assert_array_equal(images["sr"], high.array[0][part])
    # As if the whole image had been interpolated.
    whole = np.rint(bicubic(array, 2)[0]).clip(0, 65535)
    np.testing.assert_array_equal(images["bicubic"], whole[part])


def test_the_same_gives_the_same_file(tmp_path, report, low, high):
    written(tmp_path / "again.html", low, high)
    assert (tmp_path / "again.html").read_bytes() == report.read_bytes()


def test_what_cannot_be_written_is_refused_before_anything_is_read(tmp_path, low, high):
    (tmp_path / "there.html").write_text("mine")
    for name, said in (("r.pdf", ".html"), ("there.html", "--overwrite"), ("no/r.html", "does not exist")):
        with pytest.raises(InputError, match=re.escape(said)):
            write_report(
                tmp_path / name, low, high, PROVENANCE, interpolate=lambda *_: pytest.fail("computed")
            )
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InputError, match="no file"):
        check_page(tmp_path / "folder.html", overwrite=True)
    assert (tmp_path / "there.html").read_text() == "mine"
    written(tmp_path / "there.html", low, high, overwrite=True)
    with pytest.raises(ValueError, match="2 times finer"):
        write_report(tmp_path / "r.html", low, low, PROVENANCE, interpolate=bicubic)


def test_a_failure_leaves_nothing(tmp_path, low, high, monkeypatch):
    monkeypatch.setattr(
        "jinja2.environment.TemplateStream.dump",
        lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space")),
    )
    with pytest.raises(MonaiSRError, match="No space"):
        written(tmp_path / "r.html", low, high)
    assert list(tmp_path.iterdir()) == []


def test_half_widths_are_held_at_8_bits_and_none_is_understated(report_with_intervals, report, half_width):
    content, arrays = read(report_with_intervals)
    for images, facts, expected in zip(arrays, content["slices"], half_width, strict=True):
        held = images["interval"] * facts["images"]["interval"]["slope"]
        assert images["interval"].dtype == np.uint8
        assert (held >= expected * (1 - 1e-5)).all()
        assert (held - expected).max() <= expected.max() / 254 * 1.001
    # By it the page grows by less than a tenth.
    assert report_with_intervals.stat().st_size < 1.1 * report.stat().st_size
    assert "data-layer" not in re.sub("<script.*?</script>", "", report.read_text(), flags=re.S)
    text = report_with_intervals.read_text()
    assert "Its 90% interval, calibrated on images made coarser (kspace), is +- 99.5 in the median" in text


def test_half_widths_of_another_volume_are_refused(tmp_path, low, high, half_width):
    with pytest.raises(ValueError, match="half_width has shape"):
        written(tmp_path / "r.html", low, high, half_width=half_width[:, 1:])


def test_padding_has_no_half_width(tmp_path):
    array = np.random.default_rng(0).integers(0, 1000, (1, 16, 20)).astype(np.int16)
    array[:, :4] = -2000
    low = volume(array, padding=(-2000, -2000))
    high = replace(low, array=array.repeat(2, axis=1).repeat(2, axis=2))
    content, (images,) = written(
        tmp_path / "r.html", low, high, half_width=np.full((1, 32, 40), 7, np.float32)
    )
    assert (images["interval"][:8] == 255).all()
    assert (images["interval"][8:] == 254).all()
    assert content["layers"]["interval"]["bounds"] == pytest.approx([0, 7])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Not compared: the bundle states no domain"),
        ({"compared": "1.2 standard deviations off"}, "The image fits"),
        (
            {"findings": ["noise 9%", "spacing 7 mm"]},
            "What speaks against the result: noise 9%; spacing 7 mm",
        ),
    ],
)
def test_a_page_says_whether_the_image_fits_the_bundle(tmp_path, options, said):
    low = volume(np.arange(64, dtype=np.int16).reshape(1, 8, 8))
    written(tmp_path / "r.html", low, **options)
    page = (tmp_path / "r.html").read_text()
    assert f"<dt>Training images</dt><dd>{said}</dd>" in page
    assert ("1.2 standard deviations off" in page) == ("compared" in options)
    top = page.split("</header>")[0]
    assert ("<strong>Something speaks against this result.</strong>" in top) == ("findings" in options)


def test_a_page_that_cannot_be_written_is_refused_before_any_work(tmp_path, monkeypatch):
    # Root, as whom these tests may run, may write into any folder of a disk that can be written.
    monkeypatch.setattr("monai_sr.report.page.os.access", lambda path, mode: False)
    with pytest.raises(InputError, match="cannot be written to: name another one for the report"):
        check_page(tmp_path / "r.html")


def test_the_first_slices_stay_longest(monkeypatch):
    array = np.random.default_rng(0).integers(0, 255, (8, 8)).astype(np.uint8)
    finer = Picture(array.repeat(2, 0).repeat(2, 1))
    encoded = [encode(Comparison(str(number), Picture(array), finer, finer)) for number in range(9)]

    def kept(room):
        monkeypatch.setattr(slices, "MAX_BYTES", room * encoded[0].size)
        return [int(one.facts["label"]) for one in slices.limit(encoded, 3)]

    assert [kept(room) for room in (9, 6, 4, 3, 2, 0)] == [
        [*range(9)],
        [0, 1, 2, 4, 6, 8],
        [0, 1, 2, 6],
        [0, 1, 2],
        [0, 2],
        [0],
    ]
