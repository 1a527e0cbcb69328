from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_sr.geometry import scale_affine
from monai_sr.transforms import CropToMultiple, EvenSlicesd, ScaleAffined

AFFINE = torch.tensor(
    [[0.0, 0.6, 0.1, -30.0], [0.9, 0.0, 0.0, 12.5], [0.0, 0.1, 4.0, 40.0], [0.0, 0.0, 0.0, 1.0]],
    dtype=torch.float64,
)


@pytest.mark.parametrize("shape", [(1, 9, 14), (2, 9, 14, 3)])
def test_cropping_drops_the_last_rows_and_columns(shape):
    image = np.random.default_rng(0).random(shape)
    np.testing.assert_array_equal(CropToMultiple(4)(image), image[:, :8, :12])
    assert CropToMultiple(1)(image).shape == shape


def test_cropping_keeps_the_first_voxel_s_place():
    image = MetaTensor(torch.rand(1, 9, 14, 3), affine=AFFINE)
    assert torch.equal(CropToMultiple(4)(image).affine, AFFINE)


def test_nothing_left_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 9\) is smaller than scale_factor 4"):
        CropToMultiple(4)(np.zeros((1, 3, 9)))
    with pytest.raises(ValueError, match="scale_factor must be 1 or more, got 0"):
        CropToMultiple(0)


def frames(count):
    return np.broadcast_to(np.arange(count, dtype=float), (1, 4, 5, count))


@pytest.mark.parametrize(
    ("count", "num_slices", "chosen"),
    [(101, 3, [20, 50, 80]), (11, 1, [5]), (1, 4, [0]), (2, 2, [0, 1]), (6, 6, [1, 2, 3, 4])],
)
def test_slices_are_spread_about_the_middle(count, num_slices, chosen):
    items = EvenSlicesd("label", num_slices)({"label": frames(count)})
    assert [item["label"].max() for item in items] == chosen
    assert {item["label"].shape for item in items} == {(1, 4, 5)}


def test_the_keys_of_an_item_stay_together():
    items = EvenSlicesd(["image", "label"], 3)({"image": frames(9), "label": frames(9), "patient": "p"})
    assert len(items) == 3
    for item in items:
        np.testing.assert_array_equal(item["image"], item["label"])
        assert item["patient"] == "p"


def test_no_slices_are_refused():
    with pytest.raises(ValueError, match="num_slices must be 1 or more, got 0"):
        EvenSlicesd("label", 0)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, MetaTensor])
def test_a_prediction_gets_the_finer_grid_of_its_image(kind):
    image = MetaTensor(torch.rand(1, 4, 5, 3), affine=AFFINE, meta={"filename_or_obj": "a.nii"})
    pred = np.random.default_rng(0).random((1, 8, 10, 3))
    out = ScaleAffined("pred", reference="image", scale_factor=2)({"image": image, "pred": kind(pred)})
    np.testing.assert_array_equal(out["pred"].numpy(), pred)
    np.testing.assert_allclose(out["pred"].affine.numpy(), scale_affine(AFFINE.numpy(), 2))
    assert out["pred"].meta["filename_or_obj"] == "a.nii"
    assert torch.equal(out["image"].affine, AFFINE)
