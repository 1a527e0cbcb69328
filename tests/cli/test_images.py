"""`upscale` and `show`."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless, SecondaryCaptureImageStorage

from monai_sr.errors import InputError
from monai_sr.io import read_volume
from monai_sr.sample import sample_dataset_dir, sample_series_dir
from tests.cli.commands import invoke, monai_sr, refused, refuses, told


def test_upscale_dicom_twice_gives_the_same(tmp_path):
    for name in ("first", "second"):
        result = monai_sr("upscale", sample_series_dir(), tmp_path / name)
        assert result.returncode == 0, result.stderr
    source, derived = read_volume(sample_series_dir()), read_volume(tmp_path / "first")
    assert derived.array.shape == (len(source.array), *(2 * size for size in source.array.shape[1:]))
    assert derived.array.max() <= 4095
    for first, second in zip(
        sorted((tmp_path / "first").iterdir()), sorted((tmp_path / "second").iterdir()), strict=True
    ):
        assert first.read_bytes() == second.read_bytes()
        assert pydicom.dcmread(first).SOPInstanceUID.startswith("2.25.")


@pytest.mark.parametrize("suffix", [".nii.gz", ".png", ".tif"])
def test_upscale_other_formats(tmp_path, suffix):
    frame = read_volume(sample_series_dir()).array[5].astype(np.uint16)
    source, output = tmp_path / f"image{suffix}", tmp_path / f"finer{suffix}"
    if suffix == ".nii.gz":
        nibabel.save(nibabel.Nifti1Image(frame[..., None], np.diag([1.0, 1.0, 3.0, 1.0])), source)
    else:
        Image.fromarray(frame).save(source)
    result = monai_sr("upscale", source, output)
    assert result.returncode == 0, result.stderr
    before, after = read_volume(source), read_volume(output)
    assert after.array.dtype == before.array.dtype
    assert after.array.shape[1:] == tuple(2 * size for size in before.array.shape[1:])


def test_colour_and_pixelless_input_is_refused(tmp_path):
    colour = tmp_path / "colour.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(colour)
    refuses(("upscale", colour, tmp_path / "finer.png"), "colour.png", "single-channel")
    dataset = pydicom.dcmread(sorted(sample_series_dir().iterdir())[0])
    del dataset.PixelData
    headers = tmp_path / "headers"
    headers.mkdir()
    dataset.save_as(headers / "1.dcm")
    refuses(("upscale", headers, tmp_path / "derived"), "pixel")
    assert not (tmp_path / "derived").exists()
    assert not (tmp_path / "finer.png").exists()


def test_a_disk_that_fills_leaves_nothing(tmp_path):
    # A limit on the size of files refuses the write as a full disk does, in the middle of an instance.
    upscale = f"{sys.executable} -m monai_sr upscale {sample_series_dir()} {tmp_path / 'derived'}"
    result = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; ulimit -f 64; exec {upscale}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    refused(result, "derived", code=1)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def archive(tmp_path):
    """A nested folder of two series, a damaged file and a text."""
    folder = tmp_path / "archive"
    (folder / "a" / "b").mkdir(parents=True)
    shutil.copy(sorted(sample_series_dir().iterdir())[0], folder / "a" / "IM1")
    shutil.copy(sample_dataset_dir() / "dicom" / "mr_small" / "MR_small.dcm", folder / "a" / "b" / "IM1")
    (folder / "a" / "bad.dcm").write_text("not DICOM")
    (folder / "notes.txt").write_text("mine")
    return folder


def counts(shown: str) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r"(\w+) +(\d+)\s*\n", shown)}


def test_an_archive_is_upscaled_and_resumed(archive, tmp_path):
    out = tmp_path / "out"
    result = monai_sr("upscale", archive, out, "--recursive")
    assert result.returncode == 3, result.stderr
    assert told(result.stderr) == [
        f"Refused: {archive / 'a' / 'bad.dcm'} does not begin as a DICOM file does, "
        "with preamble and DICM; export it again or take it out of the folder."
    ]
    assert counts(result.stdout) == {
        "done": 2,
        "skipped": 0,
        "refused": 1,
        "failed": 0,
        "images": 1,
        "findings": 2,
    }
    before = {path: path.read_bytes() for path in out.glob("*/*.dcm")}
    assert len(before) == 2
    (archive / "a" / "bad.dcm").unlink()
    result = monai_sr("upscale", archive, out, "--recursive", "--resume")
    assert result.returncode == 0, result.stderr
    assert counts(result.stdout) == {
        "done": 0,
        "skipped": 2,
        "refused": 0,
        "failed": 0,
        "images": 1,
        "findings": 0,
    }
    assert {path: path.read_bytes() for path in out.glob("*/*.dcm")} == before
    again = ("upscale", archive, out, "--recursive")
    refuses(again, "out holds an earlier batch", "--resume")
    refuses((*again, "--resume", "--scale-factor", "4"), "another scale_factor and weights_sha256")


def listen():
    # Where these tests run in the background, signals of the terminal may be ignored from the start.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_command_says_so(tmp_path):
    command = [sys.executable, "-m", "monai_sr", "upscale", sample_series_dir(), tmp_path / "out"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as process:
        while process.poll() is None and not list(tmp_path.glob(".partial-*")):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert told(said)[-1] == "Interrupted; nothing was left half-written."
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_archive_can_be_resumed(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "monai_sr", "upscale", sample_dataset_dir(), out, "-r"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as process:
        begun = out / ".begun"
        while process.poll() is None and not (begun.exists() and begun.read_text()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert told(said) == ["Interrupted; nothing was left half-written, and --resume goes on from here."]
    lines = [json.loads(line) for line in (out / "report.jsonl").read_text().splitlines()]
    there = {path.name for path in out.iterdir()} - {".begun", "batch.json", "report.jsonl"}
    assert there == {line["output"] for line in lines}


def test_options_of_an_archive_are_for_an_archive(tmp_path):
    for options in (("--recursive", "--overwrite"), ("--recursive", "--series", "1.2"), ("--resume",)):
        result = invoke("upscale", tmp_path, tmp_path / "out", *options)
        assert isinstance(result.exception, InputError)
        assert "--recursive" in str(result.exception)


def test_dicom_output_may_be_compressed_and_secondary_capture(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(sorted(sample_series_dir().iterdir())[0], source)
    options = ("--transfer-syntax", "jpegls", "--secondary-capture")
    for out, recursive in ((tmp_path / "one", ()), (tmp_path / "all", ("--recursive",))):
        assert invoke("upscale", source, out, *options, *recursive).exit_code == 0
        (file,) = out.rglob("*.dcm")
        image = dcmread(file)
        assert image.SOPClassUID == SecondaryCaptureImageStorage
        assert image.file_meta.TransferSyntaxUID == JPEGLSLossless
    again = invoke("upscale", source, tmp_path / "all", "--recursive", "--resume")
    assert "another transfer_syntax and secondary_capture" in str(again.exception)
    assert "no transfer syntax jpeg" in str(
        invoke("upscale", source, tmp_path / "out", "--transfer-syntax", "jpeg").exception
    )
    nifti = sample_dataset_dir() / "nifti" / "mni152_test.nii.gz"
    assert "is no DICOM" in str(
        invoke("upscale", nifti, tmp_path / "out.nii", "--secondary-capture").exception
    )


def test_one_slice_is_shown_before_and_after(tmp_path):
    source, fast = sample_series_dir(), ("--bundle", "swift_srgan_mri")
    result = monai_sr("show", source, tmp_path / "slice.png", "--frame", 3, *fast)
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "slice.png") as image:
        assert image.format == "PNG"
    other = tmp_path / "other.png"
    refuses(("show", source, tmp_path / "slice.png"), "slice.png")
    refuses(("show", source, tmp_path / "slice.gif"), ".png")
    refuses(("show", source, other, "--frame", 99, *fast), "1 to 12")
    refuses(("show", source, tmp_path / "none" / "slice.png"), "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slice.png"]


def test_the_runtime_and_the_memory_are_chosen(tmp_path):
    made = {}
    for name, options in {
        "auto": (),
        "torch": ("--runtime", "torch"),
        "tiles": ("--runtime", "torch", "--memory", "1.05G"),
    }.items():
        options = ("--bundle", "swift_srgan_mri", *options)
        result = monai_sr("upscale", sample_series_dir(), tmp_path / name, *options)
        assert result.returncode == 0, result.stderr
        assert f"Computed by {'openvino' if name == 'auto' else 'torch'} float32\n" in result.stdout
        made[name] = read_volume(tmp_path / name).array.astype(int)
    for other in ("torch", "tiles"):
        difference = np.abs(made[other] - made["auto"])
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3
    versions = [
        dcmread(tmp_path / name / "00001.dcm").ContributingEquipmentSequence[-1].SoftwareVersions[-1]
        for name in ("auto", "torch")
    ]
    assert versions == ["openvino float32", "torch float32"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--memory", "much"), "much is no size of memory: write it as 4G or 1.5G"),
        (("--memory", "512M"), "--memory is too small"),
        (("--runtime", "caffe"), "There is no runtime caffe"),
        (("--precision", "bfloat16"), "add --force-precision"),
        (("--engine", "spark"), "There is no engine spark: use local or ray"),
        (("--engine", "ray"), "add --recursive"),
        (("--recursive", "--address", "127.0.0.1:1"), "--address is for a Ray cluster: add --engine ray"),
        (
            ("--engine", "ray", "--recursive", "--address", "127.0.0.1:1"),
            "No Ray cluster answers at 127.0.0.1:1",
        ),
    ],
)
def test_what_cannot_be_computed_so_is_refused(tmp_path, options, said):
    options = (*options, "--bundle", "swift_srgan_oct")
    result = invoke("upscale", sample_series_dir(), tmp_path / "out", *options)
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_upscale_writes_a_report_of_each_series(tmp_path):
    report = tmp_path / "look.html"
    result = monai_sr(
        "upscale", sample_series_dir(), tmp_path / "one", "-b", "swift_srgan_mri", "--report", report
    )
    assert result.returncode == 0, result.stderr
    assert f"Written: {report}" in result.stdout
    page = report.read_text(encoding="utf-8")
    assert "swift_srgan_mri" in page
    assert "all 12 slices" in page
    two = tmp_path / "two"
    for name in ("mni152_test", "mr_small"):
        file = sorted((sample_dataset_dir() / "dicom" / name).iterdir())[0]
        two.mkdir(exist_ok=True)
        shutil.copy(file, two / f"{name}.dcm")
    arguments = ("upscale", two, tmp_path / "many", "-b", "swift_srgan_mri", "--report", report)
    result = monai_sr(*arguments)
    assert result.returncode == 0, result.stderr
    assert "the only slice" in (tmp_path / "look_0001.html").read_text(encoding="utf-8")
    assert (tmp_path / "look_0002.html").is_file()
    assert report.read_text(encoding="utf-8") == page
    # Refused as a whole before any image is computed, though another output would be free.
    (tmp_path / "look_0001.html").unlink()
    refuses((*arguments[:2], tmp_path / "again", *arguments[3:]), "look_0002.html exists", "--overwrite")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("report", "more", "said"),
    [
        ("look.pdf", [], ".html"),
        ("missing/look.html", [], "does not exist"),
        ("look.html", ["--recursive"], "--recursive"),
        ("in/look.html", [], "lies in the input"),
        ("out.html", [], "lies in the output"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_first(tmp_path, report, more, said):
    (tmp_path / "in").mkdir()
    shutil.copy(sorted(sample_series_dir().iterdir())[0], tmp_path / "in")
    result = invoke("upscale", tmp_path / "in", tmp_path / "out.html", "--report", tmp_path / report, *more)
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


class TestDomain:
    """That every way leads to the guard; what it finds is tested beside it."""

    @pytest.fixture
    def scan(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 4096, (40, 40, 1)).astype(np.uint16)
        source = tmp_path / "in" / "scan.nii.gz"
        source.parent.mkdir()
        nibabel.save(nibabel.Nifti1Image(pixels, np.diag([9.0, 9.0, 20.0, 1.0])), source)
        return source

    def options(self, *more):
        return ("--bundle", "swift_srgan_mri", "--runtime", "torch", *more)

    def test_it_warns_tells_the_report_and_does_not_enforce(self, scan, tmp_path, caplog):
        page = tmp_path / "page.html"
        enforcing = self.options("--consistency", "enforce", "--report", page)
        assert invoke("upscale", scan, tmp_path / "finer.nii.gz", *enforcing).exit_code == 0
        for said in ("pixel spacing 9 mm, trained for x2 on 1.03 to 2 mm", "degradation kspace does not fit"):
            assert said in caplog.text
            assert said.replace("'", "&#39;") in page.read_text()
        assert f"{scan} is not like what the bundle was trained on" in caplog.text
        assert "so it was not enforced" in caplog.text

    def test_strict_refuses(self, scan, tmp_path):
        result = invoke("upscale", scan, tmp_path / "finer.nii.gz", *self.options("--strict"))
        assert isinstance(result.exception, InputError)
        assert "pixel spacing 9 mm" in str(result.exception)
        assert not (tmp_path / "finer.nii.gz").exists()

    def test_an_archive_tells_or_refuses_each(self, scan, tmp_path):
        told, strict = tmp_path / "told", tmp_path / "strict"
        archive = ("upscale", scan.parent)
        assert invoke(*archive, told, "--recursive", *self.options()).exit_code == 0
        line = json.loads((told / "report.jsonl").read_text())
        assert line["findings"][0].startswith("pixel spacing 9 mm")
        assert invoke(*archive, strict, "--recursive", *self.options("--strict")).exit_code == 3
        line = json.loads((strict / "report.jsonl").read_text())
        assert line["status"] == "refused"
        assert "pixel spacing 9 mm" in line["reason"]
