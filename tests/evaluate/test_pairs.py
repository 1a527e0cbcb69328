from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from monai_sr.errors import InputError
from monai_sr.evaluate import read_datalist
from monai_sr.evaluate.pairs import load_pairs
from monai_sr.transforms import BicubicDownsample


def test_reads_the_items_in_their_order(datalist):
    items = read_datalist(datalist)
    assert [item.path.name for item in items] == ["a1.nii.gz", "b.nii.gz", "a2.nii.gz", "c.nii.gz"]
    assert [item.patient for item in items] == ["SMITH", "JONES", "SMITH", "BROWN"]
    assert all(item.path.parent == datalist.parent for item in items)


def test_a_datalist_that_cannot_be_used_is_refused(datalist):
    datalist.write_text(json.dumps({"test": [{"label": "nowhere.nii.gz", "patient": "a"}]}))
    with pytest.raises(InputError, match=r"nowhere\.nii\.gz"):
        read_datalist(datalist)


def test_slices_are_cropped_at_the_end_and_degraded(write_nifti):
    values = np.arange(49 * 66 * 2, dtype=np.int16).reshape(49, 66, 2) % 997
    pairs = load_pairs(write_nifti("a.nii.gz", values), BicubicDownsample(2), 2)
    sides = {pairs.high.shape[1:], (48, 66)}
    assert sides <= {(48, 66), (66, 48)}
    assert pairs.low.shape == (2, pairs.high.shape[1] // 2, pairs.high.shape[2] // 2)
    assert pairs.frames == (1, 2)
    for low, high in zip(pairs.low, pairs.high, strict=True):
        np.testing.assert_array_equal(low, BicubicDownsample(2)(torch.from_numpy(high)[None])[0])


@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_real_values_span_zero_to_one(write_nifti, slope):
    values = np.random.default_rng(0).integers(-700, 900, (32, 32, 2)).astype(np.int16)
    values.flat[0], values.flat[5] = -1000, 1000
    pairs = load_pairs(write_nifti("a.nii.gz", values, slope), BicubicDownsample(2), 2)
    assert (pairs.high.min(), pairs.high.max()) == (0, 1)
    assert np.sort(pairs.high.ravel()) == pytest.approx(np.sort((values.ravel() + 1000) / 2000), abs=1e-6)


def test_slices_without_signal_are_left_out_and_counted(write_nifti):
    values = np.random.default_rng(0).integers(0, 1000, (32, 32, 5)).astype(np.int16)
    values[..., 0] = 0
    values[..., 1] = 500  # bright but constant
    values[..., 2] //= 60  # below 2% everywhere
    pairs = load_pairs(write_nifti("a.nii.gz", values), BicubicDownsample(2), 2)
    assert pairs.frames == (4, 5)
    assert pairs.n_left_out == 3


def test_a_constant_volume_has_no_slice(write_nifti):
    pairs = load_pairs(write_nifti("a.nii.gz", np.full((32, 32, 2), 7, np.int16)), BicubicDownsample(2), 2)
    assert pairs.frames == ()
    assert pairs.n_left_out == 2


@pytest.mark.parametrize(("max_slices", "frames"), [(1, (5,)), (3, (2, 5, 8)), (9, tuple(range(1, 10)))])
def test_max_slices_are_evenly_spaced(write_nifti, max_slices, frames):
    values = np.random.default_rng(0).integers(0, 1000, (32, 32, 9)).astype(np.int16)
    pairs = load_pairs(write_nifti("a.nii.gz", values), BicubicDownsample(2), 2, max_slices)
    assert pairs.frames == frames


def test_what_cannot_be_evaluated_is_refused(write_nifti):
    with pytest.raises(InputError, match="needs 64 x 64"):
        load_pairs(write_nifti("a.nii.gz", np.ones((48, 80, 2), np.int16)), BicubicDownsample(4), 4)
    values = np.random.default_rng(0).random((32, 32, 2)).astype(np.float32)
    values[3, 4, 1] = np.nan
    with pytest.raises(InputError, match="finite"):
        load_pairs(write_nifti("b.nii.gz", values), BicubicDownsample(2), 2)


def test_a_degradation_of_another_scale_is_refused(write_nifti):
    values = np.random.default_rng(0).integers(0, 1000, (64, 64, 2)).astype(np.int16)
    with pytest.raises(ValueError, match="scale_factor 4 asks for"):
        load_pairs(write_nifti("a.nii.gz", values), BicubicDownsample(2), 4)
