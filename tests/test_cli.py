"""What a user meets: the commands, and one clear sentence for each mistake."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from io import StringIO

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless, SecondaryCaptureImageStorage
from rich.console import Console
from typer.testing import CliRunner

from monai_sr.bundle import Bundle, bundle_folders
from monai_sr.cli import app
from monai_sr.cli.models import _summary_table
from monai_sr.errors import InputError
from monai_sr.evaluate.statistics import Estimate
from monai_sr.io import read_volume
from monai_sr.metrics.image_quality import METRICS
from monai_sr.sample import sample_dataset_dir, sample_series_dir


def monai_sr(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monai_sr", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | {"COLUMNS": "200"} | env,
    )


def refused(result: subprocess.CompletedProcess[str], *said: str, code: int = 2) -> None:
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.strip().splitlines()) == 1
    for text in said:
        assert text in result.stderr


def test_version_and_help():
    assert monai_sr("--version").stdout.startswith("monai-sr 0.")
    shown = monai_sr("--help").stdout
    assert all(command in shown for command in ("upscale", "show", "evaluate", "bundles", "split", "blend"))


def test_bundles_lists_what_is_there():
    shown = monai_sr("bundles").stdout
    assert "edsr_mri" in shown
    assert "srgan_mri" in shown
    assert "x2, x4" in shown


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


def test_mistakes_are_answered_in_one_sentence(tmp_path):
    output = tmp_path / "out"
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(monai_sr("upscale", tmp_path / "nowhere", output), "nowhere", "does not exist")
    refused(monai_sr("upscale", empty, output), "empty", "no DICOM")
    series = sample_series_dir()
    refused(monai_sr("upscale", series, output, "--bundle", "nothing"), "nothing", "edsr_mri")
    refused(monai_sr("upscale", series, output, "--scale-factor", "8"), "scale factor 8", "2, 4")
    refused(monai_sr("upscale", series, output, "--weights", tmp_path / "none.pt"), "none.pt")
    refused(monai_sr("upscale", series, output, "--device", "tpu"), "tpu")
    full = tmp_path / "full"
    full.mkdir()
    (full / "note").write_text("mine")
    refused(monai_sr("upscale", series, full), "full", "not empty")
    assert (full / "note").read_text() == "mine"
    assert not output.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


def test_colour_and_pixelless_input_is_refused(tmp_path):
    colour = tmp_path / "colour.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(colour)
    refused(monai_sr("upscale", colour, tmp_path / "finer.png"), "colour.png", "single-channel")
    dataset = pydicom.dcmread(sorted(sample_series_dir().iterdir())[0])
    del dataset.PixelData
    headers = tmp_path / "headers"
    headers.mkdir()
    dataset.save_as(headers / "1.dcm")
    refused(monai_sr("upscale", headers, tmp_path / "derived"), "pixel")
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


def test_blend_and_alpha_give_the_same_image(tmp_path):
    models = Bundle(bundle_folders()["srgan_mri"]).root / "models"
    blended = tmp_path / "blended.pt"
    arguments = ("blend", models / "pixel_model.pt", models / "model.pt", "--alpha", "0.3", "-o", blended)
    assert monai_sr(*arguments).returncode == 0
    refused(monai_sr(*arguments), "blended.pt exists", "--overwrite")
    source = tmp_path / "image.png"
    Image.fromarray(read_volume(sample_series_dir()).array[5].astype(np.uint16)).save(source)
    upscale = ("upscale", source, "--bundle", "srgan_mri")
    for name, options in (
        ("dial.png", ("--alpha", "0.3")),
        ("file.png", ("--weights", blended)),
        ("crisp.png", ()),
    ):
        result = monai_sr(*upscale[:2], tmp_path / name, *upscale[2:], *options)
        assert result.returncode == 0, result.stderr
    dial, file, crisp = (read_volume(tmp_path / f"{name}.png").array for name in ("dial", "file", "crisp"))
    np.testing.assert_array_equal(dial, file)
    assert (dial != crisp).any()


def test_what_cannot_be_blended_is_refused(tmp_path):
    models = Bundle(bundle_folders()["srgan_mri"]).root / "models"
    output = ("-o", tmp_path / "blended.pt")
    refused(monai_sr("blend", models / "model.pt", *output), "two files")
    refused(monai_sr("blend", models / "model.pt", models / "model_x4.pt", *output), "scale factors")
    two = (models / "pixel_model.pt", models / "model.pt")
    refused(monai_sr("blend", *two, "--alpha", "1.2", *output), "--alpha must be from 0 to 1")
    refused(monai_sr("blend", *two, models / "model.pt", "--alpha", "0.5", *output), "two files")
    refused(monai_sr("upscale", sample_series_dir(), tmp_path / "out", "--alpha", "0.5"), "no pixel-loss")
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
    assert (
        result.stderr == f"Refused: {archive / 'a' / 'bad.dcm'} does not begin as a DICOM file does, "
        "with preamble and DICM; export it again or take it out of the folder.\n"
    )
    assert counts(result.stdout) == {"done": 2, "skipped": 0, "refused": 1, "failed": 0, "images": 1}
    before = {path: path.read_bytes() for path in out.glob("*/*.dcm")}
    assert len(before) == 2
    (archive / "a" / "bad.dcm").unlink()
    result = monai_sr("upscale", archive, out, "--recursive", "--resume")
    assert result.returncode == 0, result.stderr
    assert counts(result.stdout) == {"done": 0, "skipped": 2, "refused": 0, "failed": 0, "images": 1}
    assert {path: path.read_bytes() for path in out.glob("*/*.dcm")} == before
    again = ("upscale", archive, out, "--recursive")
    refused(monai_sr(*again), "out holds an earlier batch", "--resume")
    refused(monai_sr(*again, "--resume", "--scale-factor", "4"), "another scale_factor and weights_sha256")


def test_an_interrupted_archive_can_be_resumed(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "monai_sr", "upscale", sample_dataset_dir(), out, "-r"]

    def listen():
        # Where these tests run in the background, signals of the terminal may be ignored from the start.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as process:
        begun = out / ".begun"
        while process.poll() is None and not (begun.exists() and begun.read_text()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said == "Interrupted; nothing was left half-written, and --resume goes on from here.\n"
    lines = [json.loads(line) for line in (out / "report.jsonl").read_text().splitlines()]
    there = {path.name for path in out.iterdir()} - {".begun", "batch.json", "report.jsonl"}
    assert there == {line["output"] for line in lines}


def test_options_of_an_archive_are_for_an_archive(tmp_path):
    for options in (("--recursive", "--overwrite"), ("--recursive", "--series", "1.2"), ("--resume",)):
        result = invoke("upscale", tmp_path, tmp_path / "out", *options)
        assert isinstance(result.exception, InputError)
        assert "--recursive" in str(result.exception)


def test_a_bundle_from_elsewhere_runs_only_when_trusted(tmp_path, monkeypatch):
    """By its folder, and by a name that a folder named `bundles` here takes over."""
    folder = tmp_path / "bundles" / "edsr_mri"
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "metadata.json").write_text('{"name": "edsr_mri", "version": "1"}')
    ran = tmp_path / "ran"
    config = {"scale_factor": 2, "network_def": f"$__import__('pathlib').Path({str(ran)!r}).touch()"}
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    source, out = sample_series_dir(), tmp_path / "out"
    weights = bundle_folders()["srgan_mri"] / "models" / "model.pt"
    for named in (folder, "edsr_mri"):
        for command in (
            ("upscale", source, out, "--bundle", named),
            ("upscale", source, out, "--bundle", named, "--recursive"),
            ("show", source, tmp_path / "slice.png", "--bundle", named),
            ("evaluate", out, "--bundle", named),
            ("export", named, tmp_path / "model.onnx"),
        ):
            result = invoke(*command)
            assert isinstance(result.exception, InputError)
            assert "did not come with monai-sr" in str(result.exception)
            assert "--trust" in str(result.exception)
        assert not ran.exists()
    result = invoke("upscale", source, out, "--bundle", folder, "--weights", weights, "--trust")
    assert "no network" in str(result.exception)
    assert ran.exists()
    assert not out.exists()


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


def test_split_then_evaluate(tmp_path):
    dataset = tmp_path / "scans"
    for patient in ("a", "b", "c", "d"):
        folder = dataset / f"sub-{patient}"
        folder.mkdir(parents=True)
        image = nibabel.load(sample_dataset_dir() / "nifti" / "mni152_test.nii.gz")
        nibabel.save(image.slicer[:, :, 4:6], folder / "t1.nii.gz")
    result = monai_sr("split", dataset)
    assert result.returncode == 0, result.stderr
    result = monai_sr("evaluate", tmp_path / "result", "--datalist", dataset / "datalist.json")
    assert result.returncode == 0, result.stderr
    assert {"per_image.csv", "per_patient.csv", "results.md"} <= {
        path.name for path in (tmp_path / "result").iterdir()
    }
    refused(monai_sr("evaluate", tmp_path / "result", "--datalist", dataset / "datalist.json"), "result")
    refused(monai_sr("evaluate", tmp_path / "other", "--datalist", dataset / "none.json"), "none.json")
    refused(monai_sr("evaluate", tmp_path / "other", "--kernel", "nearest"), "nearest")


def test_several_bundles_are_evaluated_at_once(tmp_path):
    both = ("-b", "edsr_mri", "-b", "srgan_mri")
    result = monai_sr("evaluate", tmp_path / "result", *both, "--max-slices", 1)
    assert result.returncode == 0, result.stderr
    report = (tmp_path / "result" / "results.md").read_text()
    for name in ("edsr_mri", "srgan_mri"):
        assert f"| {name} |" in report
        assert (tmp_path / "result" / f"worst_slice_{name}.png").is_file()
    other = tmp_path / "other"
    refused(monai_sr("evaluate", other, "-b", "edsr_mri", "-b", "edsr_mri"), "one name")
    refused(monai_sr("evaluate", other, *both, "--weights", tmp_path / "w.pt"), "--weights")
    refused(monai_sr("evaluate", other, "--vgg-weights", tmp_path / "none.pth"), "none.pth")
    assert not other.exists()


def test_one_slice_is_shown_before_and_after(tmp_path):
    source = sample_series_dir()
    result = monai_sr("show", source, tmp_path / "slice.png", "--frame", 3)
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "slice.png") as image:
        assert image.format == "PNG"
    other = tmp_path / "other.png"
    refused(monai_sr("show", source, tmp_path / "slice.png"), "slice.png")
    refused(monai_sr("show", source, tmp_path / "slice.gif"), ".png")
    refused(monai_sr("show", source, other, "--frame", 99), "1 to 12")
    refused(monai_sr("show", source, tmp_path / "none" / "slice.png"), "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slice.png"]


def invoke(*arguments: object):
    """A command in this process, for what needs no other; a mistake is the result's exception."""
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.mark.parametrize("count", [0, -1])
def test_a_number_of_slices_below_one_is_refused(tmp_path, count):
    result = invoke("evaluate", tmp_path / "out", "--max-slices", count)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 2
    assert "--max-slices" in result.stderr


def test_a_datalist_is_replaced_only_when_asked(tmp_path):
    for name in ("a.nii", "b.nii", "c.nii"):
        (tmp_path / name).touch()
    path = tmp_path / "datalist.json"
    path.write_text("mine")
    result = invoke("split", tmp_path)
    assert isinstance(result.exception, InputError)
    assert "--overwrite" in str(result.exception)
    assert path.read_text() == "mine"
    assert invoke("split", tmp_path, "--overwrite").exit_code == 0
    assert path.read_text() != "mine"


def test_the_path_of_a_bundle_is_not_cut(tmp_path, monkeypatch):
    root = tmp_path / ("a_long_name_" * 8) / "bundles" / "tiny"
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "metadata.json").write_text('{"name": "tiny", "version": "1.2.3"}')
    monkeypatch.chdir(root.parents[1])
    assert str(root) in invoke("bundles").stdout


def test_the_table_of_an_evaluation_fits_a_terminal():
    methods = ("bicubic", "lanczos", "bspline", "super-resolution")
    estimates = {metric: Estimate(-12.3456, -13.4567, -11.2345, 5) for metric in METRICS}
    out = StringIO()
    Console(file=out, width=80).print(_summary_table("Mean", dict.fromkeys(methods, estimates), signed=True))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert all(any(method in line.split() for line in lines) for method in methods)
    assert sum(line.count("-12.3456") for line in lines) == 12
    assert "…" not in out.getvalue()


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
        (("--memory", "much"), "much is no size of memory: write it as 4G or 512M"),
        (("--memory", "512M"), "0.5 GiB of memory are too few"),
        (("--runtime", "caffe"), "There is no runtime caffe"),
        (("--precision", "bfloat16"), "add --force-precision"),
        (("--engine", "spark"), "There is no engine spark: use local or ray"),
        (("--engine", "ray"), "add --recursive"),
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
