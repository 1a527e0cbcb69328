"""`upscale --uncertainty`."""

from __future__ import annotations

import hashlib
import json
import re
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from pydicom import dcmread

from monai_sr.bundle import find_bundle, weights_file
from monai_sr.errors import InputError
from monai_sr.networks import IntervalHead
from monai_sr.sample import sample_series_dir
from tests.cli.commands import invoke

RELEASED = "swift_srgan_mri"
UNLIKE = "but not calibrated for images unlike those, as this one"


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Two slices of the sample."""
    folder = tmp_path_factory.mktemp("series")
    for path in sorted(sample_series_dir().iterdir())[5:7]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A copy of a released bundle with an untrained head for x2, and none for x4."""
    root = tmp_path_factory.mktemp("bundles") / RELEASED
    released = find_bundle(RELEASED).root
    for name in ("configs/inference.json", "models/model.pt", "models/model_x4.pt", "models/pixel_model.pt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(released / name, root / name)
    torch.manual_seed(0)
    torch.save(IntervalHead(2).state_dict(), weights_file(root, 2, "interval"))
    card = json.loads((released / "configs" / "metadata.json").read_text())
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.glob("models/*")}
    entry = {
        "coverage": 0.9,
        "kernel": "kspace",
        "levels": [0.2],
        "factors": [1.0],
        "unit": "image",
        "units": 12,
    }
    entry["weights_sha256"] = {name: hashes[name] for name in ("model.pt", "interval_model.pt")}
    card |= {"weights_sha256": hashes, "intervals": {"x2": entry}}
    (root / "configs" / "metadata.json").write_text(json.dumps(card))
    return root


def test_dicom_gets_maps_and_says_how_wide(series, bundle, tmp_path):
    page = tmp_path / "page.html"
    result = invoke(
        "upscale", series, tmp_path / "out", "--bundle", bundle, "--uncertainty", "--report", page
    )
    assert result.exit_code == 0, result.exception
    assert "90% interval, calibrated on images made coarser (kspace), is +- " in result.stdout
    assert f"real values, {UNLIKE}\n" in result.stdout
    assert "\nWhat speaks against it: it does not look like MR slices" in result.stdout
    text = page.read_text(encoding="utf-8")
    assert f"real values, {UNLIKE}</dd>" in text
    assert 'id="pixels-1-interval"' in text
    for told in (
        "<dt>Training images</dt><dd>What speaks against the result: ",
        "<dt>Compared with them</dt><dd>MR ",
    ):
        assert told in text
    images, maps = (sorted((tmp_path / name).iterdir()) for name in ("out", "out.interval"))
    assert [path.name for path in images] == [path.name for path in maps] == ["00001.dcm", "00002.dcm"]
    for image, path in zip(map(dcmread, images), maps, strict=True):
        assert "its 90% interval" in image.DerivationDescription
        assert UNLIKE in image.DerivationDescription
        made = dcmread(path)
        (derivation,) = made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence
        assert derivation.DerivationDescription == image.DerivationDescription
        half_width = made.pixel_array
        assert half_width.shape == image.pixel_array.shape
        assert half_width.min() >= 0 < half_width.max()


def test_an_archive_reports_how_wide_and_goes_on_where_intervals_lack(series, bundle, tmp_path):
    archive = tmp_path / "archive"
    shutil.copytree(series, archive / "series")
    volume = nib.Nifti1Image(np.random.default_rng(0).random((16, 20, 1), np.float32), np.eye(4))
    nib.save(volume, archive / "a.nii.gz")
    out = tmp_path / "out"
    command = ("upscale", archive, out, "--recursive", "--bundle", bundle)
    result = invoke(*command, "--uncertainty")
    assert result.exit_code == 0
    assert re.search(r"done, with findings +2 ", result.stdout)
    lines = [json.loads(line) for line in (out / "report.jsonl").read_text().splitlines()]
    assert [line["interval"]["coverage"] for line in lines] == [0.9, 0.9]
    assert all(line["interval"]["median"] > 0 for line in lines)
    assert all(line["interval"]["unlike"] and line["findings"] for line in lines)
    assert nib.load(out / "intervals" / "files" / "a.interval.nii.gz").shape == (32, 40, 1)
    (maps,) = (out / "intervals").glob("series_*.interval")
    shutil.rmtree(maps)
    assert invoke(*command, "--uncertainty", "--resume").exit_code == 0
    assert len(list(maps.iterdir())) == 2
    with pytest.raises(InputError, match="begun with another computation and uncertainty"):
        raise invoke(*command, "--resume").exception


def refusal(*arguments):
    """The mistake that a command ends with."""
    found = invoke("upscale", *arguments).exception
    assert isinstance(found, InputError)
    return str(found)


def test_intervals_that_were_not_calibrated_are_refused(series, bundle, tmp_path):
    asked = (series, tmp_path / "out", "--uncertainty", "--bundle", bundle)
    assert "has no calibrated intervals for scale factor 4" in refusal(*asked, "--scale-factor", 4)
    for options in (
        ("--weights", bundle / "models" / "model.pt"),
        ("--alpha", 0.5),
        ("--consistency", "enforce"),
    ):
        assert "calibrated for a bundle's own weights" in refusal(*asked, *options)
    assert not (tmp_path / "out").exists()
    assert "--uncertainty is for files" in refusal(
        series, "dicomweb://127.0.0.1:9/none", "--uncertainty", "--bundle", bundle
    )


def test_a_head_that_is_not_of_the_weights_is_refused(series, bundle, tmp_path):
    copy = tmp_path / RELEASED
    shutil.copytree(bundle, copy)
    asked = (series, tmp_path / "out", "--uncertainty", "--bundle", copy)
    card = json.loads((copy / "configs" / "metadata.json").read_text())
    card["intervals"]["x2"]["weights_sha256"]["model.pt"] = "ab" * 32
    (copy / "configs" / "metadata.json").write_text(json.dumps(card))
    assert "calibrated for other weights than its own" in refusal(*asked)
    torch.save(IntervalHead(4).state_dict(), copy / "models" / "interval_model.pt")
    assert "interval_model.pt is not the file that" in refusal(*asked)
    (copy / "models" / "interval_model.pt").unlink()
    assert "has no calibrated intervals for scale factor 2" in refusal(*asked)
    assert not (tmp_path / "out").exists()
