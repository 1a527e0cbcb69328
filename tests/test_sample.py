"""The embedded sample is valid, and is what scripts/make_sample_dataset.py makes."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread

from monai_sr.sample import sample_dataset_dir, sample_series_dir
from monai_sr.splitting import check_datalist
from scripts.make_sample_dataset import SLABS, make_sample, read_template

SERIES = sorted(sample_series_dir().glob("*.dcm"))
MAXIMUM_BYTES = 4_000_000


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    make_sample(folder)
    return folder


@pytest.fixture(scope="module")
def datalist():
    return json.loads((sample_dataset_dir() / "datalist.json").read_text())


def generated_files(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.name.endswith((".gz", ".dcm", ".json"))
    )


def test_the_script_makes_exactly_the_committed_files(rebuilt):
    assert generated_files(rebuilt) == generated_files(sample_dataset_dir())
    assert (rebuilt / "datalist.json").read_text() == (sample_dataset_dir() / "datalist.json").read_text()


@pytest.mark.parametrize("part", SLABS)
def test_the_script_makes_the_committed_nifti(rebuilt, part):
    name = f"nifti/mni152_{part}.nii.gz"
    made, committed = nib.load(rebuilt / name), nib.load(sample_dataset_dir() / name)
    assert made.header.binaryblock == committed.header.binaryblock
    np.testing.assert_array_equal(made.dataobj, committed.dataobj)


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.name)
def test_the_script_makes_the_committed_dicom(rebuilt, path):
    made = dcmread(rebuilt / path.relative_to(sample_dataset_dir()))
    committed = dcmread(path)
    assert made.file_meta == committed.file_meta
    assert made == committed


def test_the_scanner_slice_is_that_of_pydicom(rebuilt):
    name = "dicom/mr_small/MR_small.dcm"
    assert (rebuilt / name).read_bytes() == (sample_dataset_dir() / name).read_bytes()


def test_the_datalist_names_every_slab_once(datalist):
    check_datalist(datalist)
    assert {part: len(items) for part, items in datalist.items()} == dict.fromkeys(SLABS, 1)
    for items in datalist.values():
        assert (sample_dataset_dir() / items[0]["label"]).is_file()


@pytest.mark.parametrize(("part", "slices"), [("training", 40), ("validation", 12), ("test", 12)])
def test_a_slab_keeps_its_place_in_the_template(datalist, part, slices):
    slab = nib.load(sample_dataset_dir() / datalist[part][0]["label"])
    array = np.asanyarray(slab.dataobj)
    assert array.shape == (160, 192, slices)
    assert array.dtype == np.int16
    assert 3000 < array.max() <= 4095
    template = read_template()
    voxel = np.array([80, 96, slices // 2, 1])
    in_template = np.linalg.inv(template.affine) @ slab.affine @ voxel
    np.testing.assert_allclose(in_template, in_template.round(), atol=1e-9)
    assert (
        array[tuple(voxel[:3])] == 16 * int(template.dataobj[tuple(in_template[:3].round().astype(int))]) > 0
    )


def test_the_slabs_are_apart(datalist):
    # Averaged anatomy changes slowly, so neighbouring slices in two parts would make the test too easy.
    extents = []
    for items in datalist.values():
        slab = nib.load(sample_dataset_dir() / items[0]["label"])
        bottom = slab.affine[2, 3]
        extents.append((bottom, bottom + slab.affine[2, 2] * (slab.shape[2] - 1)))
    extents.sort()
    assert all(upper[0] - lower[1] > 8 for lower, upper in pairwise(extents))


def test_the_series_lies_where_the_nifti_test_slab_lies(datalist):
    slab = nib.load(sample_dataset_dir() / datalist["test"][0]["label"])
    array = np.asanyarray(slab.dataobj)
    assert len(SERIES) == array.shape[2]
    for path in SERIES:
        dataset = dcmread(path)
        row_step = np.array(dataset.ImageOrientationPatient[3:]) * dataset.PixelSpacing[0]
        column_step = np.array(dataset.ImageOrientationPatient[:3]) * dataset.PixelSpacing[1]
        for row, column in [(0, 0), (0, dataset.Columns - 1), (dataset.Rows - 1, 0), (70, 50)]:
            lps = np.array(dataset.ImagePositionPatient) + row * row_step + column * column_step
            voxel = np.linalg.inv(slab.affine) @ [-lps[0], -lps[1], lps[2], 1]
            i, j, k = voxel[:3].round().astype(int)
            np.testing.assert_allclose(voxel[:3], [i, j, k], atol=1e-9)
            assert min(i, j, k) >= 0
            assert dataset.pixel_array[row, column] == array[i, j, k]
        np.testing.assert_array_equal(
            np.sort(dataset.pixel_array, axis=None), np.sort(array[..., k], axis=None)
        )


def test_the_series_is_anonymous_and_within_its_bits():
    for path in SERIES:
        dataset = dcmread(path)
        assert dataset.PatientIdentityRemoved == "YES"
        assert (dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation) == (12, 11, 0)
        assert dataset.pixel_array.max() < 2**12
        assert not any(element.tag.is_private for element in dataset)


@pytest.mark.tools
def test_the_series_is_valid_dicom(require_tool):
    for path in SERIES:
        validation = subprocess.run(
            [require_tool("dciodvfy"), "-new", path], capture_output=True, text=True, check=False
        )
        assert "MRImage" in validation.stderr
        assert "Error" not in validation.stderr
        subprocess.run([require_tool("dcmftest"), path], check=True, capture_output=True)
    subprocess.run([require_tool("dcentvfy"), *SERIES], check=True)


def test_the_sample_is_small_and_keeps_its_notices():
    assert (
        sum(path.stat().st_size for path in sample_dataset_dir().rglob("*") if path.is_file()) < MAXIMUM_BYTES
    )
    readme = (sample_dataset_dir() / "README.md").read_text(encoding="utf-8")
    assert "Copyright (C) 1993–2009 Louis Collins" in readme
    assert "no evidence on patients" in readme
