"""`bundles`, `blend` and `evaluate`."""

from __future__ import annotations

from io import StringIO

import nibabel
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from monai_sr.bundle import Bundle, bundle_folders
from monai_sr.cli.models import _summary_table
from monai_sr.evaluate.statistics import Estimate
from monai_sr.io import read_volume
from monai_sr.metrics.image_quality import METRICS
from monai_sr.sample import sample_dataset_dir, sample_series_dir
from tests.cli.commands import invoke, monai_sr, refuses


def test_bundles_lists_what_is_there():
    shown = monai_sr("bundles").stdout
    assert "edsr_mri" in shown
    assert "srgan_mri" in shown
    assert "x2, x4" in shown


def test_blend_and_alpha_give_the_same_image(tmp_path):
    models = Bundle(bundle_folders()["srgan_mri"]).root / "models"
    blended = tmp_path / "blended.pt"
    arguments = ("blend", models / "pixel_model.pt", models / "model.pt", "--alpha", "0.3", "-o", blended)
    assert monai_sr(*arguments).returncode == 0
    refuses(arguments, "blended.pt exists", "--overwrite")
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
    refuses(("blend", models / "model.pt", *output), "two files")
    refuses(("blend", models / "model.pt", models / "model_x4.pt", *output), "scale factors")
    two = (models / "pixel_model.pt", models / "model.pt")
    refuses(("blend", *two, "--alpha", "1.2", *output), "--alpha must be from 0 to 1")
    refuses(("blend", *two, models / "model.pt", "--alpha", "0.5", *output), "two files")
    refuses(("upscale", sample_series_dir(), tmp_path / "out", "--alpha", "0.5"), "no pixel-loss")
    assert list(tmp_path.iterdir()) == []


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
    refuses(("evaluate", tmp_path / "result", "--datalist", dataset / "datalist.json"), "result")
    refuses(("evaluate", tmp_path / "other", "--datalist", dataset / "none.json"), "none.json")
    refuses(("evaluate", tmp_path / "other", "--kernel", "nearest"), "nearest")


def test_several_bundles_are_evaluated_at_once(tmp_path):
    both = ("-b", "edsr_mri", "-b", "srgan_mri")
    result = monai_sr("evaluate", tmp_path / "result", *both, "--max-slices", 1)
    assert result.returncode == 0, result.stderr
    report = (tmp_path / "result" / "results.md").read_text()
    for name in ("edsr_mri", "srgan_mri"):
        assert f"| {name} |" in report
        assert (tmp_path / "result" / f"worst_slice_{name}.png").is_file()
    other = tmp_path / "other"
    refuses(("evaluate", other, "-b", "edsr_mri", "-b", "edsr_mri"), "one name")
    refuses(("evaluate", other, *both, "--weights", tmp_path / "w.pt"), "--weights")
    refuses(("evaluate", other, "--vgg-weights", tmp_path / "none.pth"), "none.pth")
    assert not other.exists()


@pytest.mark.parametrize("count", [0, -1])
def test_a_number_of_slices_below_one_is_refused(tmp_path, count):
    result = invoke("evaluate", tmp_path / "out", "--max-slices", count)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 2
    assert "--max-slices" in result.stderr


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
