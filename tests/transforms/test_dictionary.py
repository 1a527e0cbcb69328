from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from monai_sr import transforms

TWINS = {
    "BicubicDownsampled": {"scale_factor": 2, "blur_sigma": 0.5},
    "KSpaceTruncated": {"scale_factor": 2, "apodization": 0.3},
    "DetectorBinningd": {"scale_factor": 2, "blur_sigma": 0.5},
    "OCTSamplingd": {"scale_factor": 2, "spot_sigma": 0.9},
    "RicianNoised": {"std": 0.1, "seed": 4},
    "PoissonGaussianNoised": {"photons": 50, "std": 0.1, "seed": 4},
    "SpeckleNoised": {"looks": 4, "seed": 4},
    "GrayscaleToImageNetd": {},
    "CropToMultipled": {"scale_factor": 3},
    "RobustNormalized": {"lower": 5.0, "upper": 90.0},
}
RANDOM_TWINS = {
    "RandBicubicDownsampled": {"scale_factor": 2, "blur_sigma": (0.2, 0.9)},
    "RandKSpaceTruncated": {"scale_factor": 2, "apodization": (0.2, 0.9)},
    "RandDetectorBinningd": {"scale_factor": 2, "blur_sigma": (0.2, 0.9)},
    "RandOCTSamplingd": {"scale_factor": 2, "spot_sigma": (0.5, 0.9)},
    "RandRicianNoised": {"prob": 1.0, "std": (0.1, 0.2)},
    "RandPoissonGaussianNoised": {"prob": 1.0, "photons": (10, 20), "std": (0.1, 0.2)},
    "RandSpeckleNoised": {"prob": 1.0, "looks": (2, 4)},
}
ONLY_FOR_DICTIONARIES = {"EvenSlicesd", "RestoreIntensityd", "ScaleAffined"}


def image(seed=0):
    return np.random.default_rng(seed).random((1, 16, 16)).astype(np.float32)


def test_every_dictionary_transform_is_tested():
    public = {name for name in transforms.__all__ if name.endswith("d")}
    assert public == TWINS.keys() | RANDOM_TWINS.keys() | ONLY_FOR_DICTIONARIES


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_equals_its_array_class(name):
    data = {"image": image(), "label": image(), "other": image()}
    twin = getattr(transforms, name)(keys="image", **TWINS[name])
    expected = getattr(transforms, name[:-1])(**TWINS[name])(image())
    out = twin(data)
    np.testing.assert_array_equal(out["image"], expected)
    assert out["label"] is data["label"]
    np.testing.assert_array_equal(data["image"], image())  # the input stays


@pytest.mark.parametrize("name", RANDOM_TWINS)
def test_a_random_twin_applies_one_draw_to_each_key(name):
    twin = getattr(transforms, name)(keys=["image", "label"], **RANDOM_TWINS[name])
    array = getattr(transforms, name[:-1])(**RANDOM_TWINS[name])
    data = {"image": image(), "label": image(1)}
    out = twin.set_random_state(9)(data)
    drawn = array.set_random_state(9).draw()
    np.testing.assert_array_equal(out["image"], drawn(image()))
    np.testing.assert_array_equal(out["label"], drawn(image(1)))
    assert (twin(data)["image"] != out["image"]).any()  # the next draw is another one


@pytest.mark.parametrize("name", RANDOM_TWINS)
def test_the_seed_of_a_pipeline_reaches_a_random_twin(name):
    def run(seed):
        twin = getattr(transforms, name)(keys="image", **RANDOM_TWINS[name])
        return Compose([twin]).set_random_state(seed)({"image": image()})["image"]

    np.testing.assert_array_equal(run(5), run(5))
    assert (run(5) != run(6)).any()


@pytest.mark.parametrize("name", [*TWINS, *RANDOM_TWINS])
def test_a_twin_has_its_array_class_s_arguments(name):
    def arguments(transform):
        parameters = inspect.signature(transform).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters}

    twin = arguments(getattr(transforms, name))
    assert next(iter(twin)) == "keys"
    assert twin.pop("allow_missing_keys") is False
    del twin["keys"]
    assert twin == arguments(getattr(transforms, name[:-1]))


@pytest.mark.parametrize("name", sorted(TWINS.keys() | RANDOM_TWINS.keys()))
def test_a_missing_key_is_refused_unless_allowed(name):
    arguments = {**TWINS, **RANDOM_TWINS}[name]
    with pytest.raises(KeyError, match="image"):
        getattr(transforms, name)(keys="image", **arguments)({})
    allowed = getattr(transforms, name)(keys="image", allow_missing_keys=True, **arguments)
    assert allowed({"label": 1}) == {"label": 1}


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize("kind", [np.asarray, MetaTensor])
def test_stored_values_come_back_exactly(dtype, kind):
    limits = np.iinfo(dtype)
    stored = np.random.default_rng(0).integers(limits.min, limits.max, (1, 40, 50), dtype, endpoint=True)
    pipeline = Compose(
        [
            transforms.RobustNormalized(keys="image"),
            transforms.RestoreIntensityd(keys="image", range_key="image_range"),
        ]
    )
    out = pipeline({"image": kind(stored.astype(np.float64))})
    assert out["image_range"].dtype == torch.float64
    restored = np.asarray(out["image"])
    assert restored.dtype == np.float64
    np.testing.assert_array_equal(restored.round().astype(dtype), stored)


def test_each_key_has_a_range_of_its_own():
    data = {"image": image() * 100, "label": image() * 100 + 50}
    out = transforms.RobustNormalized(keys=["image", "label"], lower=0, upper=100)(data)
    assert out["image_range"].tolist() == [data["image"].min(), data["image"].max()]
    assert out["label_range"].tolist() == [data["label"].min(), data["label"].max()]


def test_a_prediction_takes_the_range_of_the_image_it_came_from():
    normalized = transforms.RobustNormalized(keys="image", lower=0, upper=100)(
        {"image": np.array([[[20.0, 120.0]]]), "pred": np.array([[[0.0, 0.5, 1.0, 1.1]]])}
    )
    out = transforms.RestoreIntensityd(keys="pred", range_key="image_range")(normalized)
    np.testing.assert_allclose(out["pred"], [[[20, 70, 120, 130]]])
