from __future__ import annotations

import numpy as np
import pytest
from monai.transforms import Compose, Identity

from monai_sr import transforms
from monai_sr.transforms import random

# Random transform -> its arguments, its twin, and the twin's attributes that it draws.
SAMPLINGS = [
    (
        "RandBicubicDownsample",
        {"scale_factor": 2, "blur_sigma": (0.2, 0.6)},
        "BicubicDownsample",
        {"blur_sigma"},
    ),
    ("RandKSpaceTruncate", {"scale_factor": 2, "apodization": (0.3, 0.4)}, "KSpaceTruncate", {"apodization"}),
    ("RandDetectorBinning", {"scale_factor": 2, "blur_sigma": (0.2, 0.6)}, "DetectorBinning", {"blur_sigma"}),
    ("RandOCTSampling", {"scale_factor": 2, "spot_sigma": (0.6, 0.9)}, "OCTSampling", {"spot_sigma"}),
]
NOISES = [
    ("RandRicianNoise", {"std": (0.01, 0.05)}, "RicianNoise", {"std"}),
    (
        "RandPoissonGaussianNoise",
        {"photons": (50, 200), "std": (0.01, 0.02)},
        "PoissonGaussianNoise",
        {"photons", "std"},
    ),
    ("RandSpeckleNoise", {"looks": (2, 9)}, "SpeckleNoise", {"looks"}),
]
ALL = SAMPLINGS + [(name, {"prob": 1.0, **arguments}, twin, drawn) for name, arguments, twin, drawn in NOISES]


def image():
    return np.random.default_rng(0).random((1, 16, 16)).astype(np.float32)


def test_every_random_transform_is_tested():
    public = {name for name in transforms.__all__ if name.startswith("Rand") and not name.endswith("d")}
    assert public == {name for name, *_ in ALL}


@pytest.mark.parametrize(("name", "arguments", "twin", "drawn"), ALL)
def test_it_draws_the_twin_within_its_ranges(name, arguments, twin, drawn):
    transform = getattr(transforms, name)(**arguments).set_random_state(0)
    twins = [transform.draw() for _ in range(40)]
    assert {type(found) for found in twins} == {getattr(transforms, twin)}
    for attribute in drawn:
        low, high = arguments[attribute]
        values = [getattr(found, attribute) for found in twins]
        assert low <= min(values) < low + 0.2 * (high - low)
        assert high >= max(values) > high - 0.2 * (high - low)


@pytest.mark.parametrize(("name", "arguments", "twin", "drawn"), ALL)
def test_it_gives_what_the_drawn_twin_gives(name, arguments, twin, drawn):
    transform = getattr(transforms, name)(**arguments)
    expected = transform.set_random_state(3).draw()(image())
    np.testing.assert_array_equal(transform.set_random_state(3)(image()), expected)
    assert (transform(image()) != expected).any()  # the next draw is another one


@pytest.mark.parametrize(("name", "arguments", "twin", "drawn"), ALL)
def test_the_seed_of_a_pipeline_decides(name, arguments, twin, drawn):
    def run(seed):
        return Compose([getattr(transforms, name)(**arguments)]).set_random_state(seed)(image())

    np.testing.assert_array_equal(run(5), run(5))
    assert (run(5) != run(6)).any()


@pytest.mark.parametrize(("name", "arguments", "twin", "drawn"), NOISES)
def test_the_probability_decides_whether_there_is_noise(name, arguments, twin, drawn):
    def share_of_noise(prob):
        transform = getattr(transforms, name)(prob=prob, **arguments).set_random_state(0)
        return np.mean([not isinstance(transform.draw(), Identity) for _ in range(200)])

    assert share_of_noise(0.0) == 0
    assert share_of_noise(1.0) == 1
    assert share_of_noise(0.3) == pytest.approx(0.3, abs=0.1)
    never = getattr(transforms, name)(prob=0.0, **arguments)
    np.testing.assert_array_equal(never(image()), image())


def test_each_noise_has_a_seed_of_its_own():
    transform = random.RandRicianNoise(prob=1.0).set_random_state(0)
    assert len({transform.draw().seed for _ in range(50)}) == 50


@pytest.mark.parametrize(("name", "arguments", "twin", "drawn"), ALL)
def test_wrong_arguments_are_named(name, arguments, twin, drawn):
    for attribute in drawn:
        with pytest.raises(ValueError, match=attribute):
            getattr(transforms, name)(**{**arguments, attribute: (0.9, 0.1)})
    if "prob" in arguments:
        with pytest.raises(ValueError, match="prob"):
            getattr(transforms, name)(**{**arguments, "prob": 1.5})
