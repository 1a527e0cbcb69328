from pathlib import Path

import numpy as np
import pytest

from monai_sr.volume import LazyFrames, Provenance, Source, Volume


def fields(**others):
    return {
        "array": np.zeros((2, 3, 4), np.uint16),
        "affine": np.eye(4),
        "slope": np.ones(2),
        "intercept": np.zeros(2),
        "stored_range": (0, 4095),
        "source": Source(),
        "path": Path("series"),
        **others,
    }


def test_spacing_is_the_length_of_each_step():
    affine = np.eye(4)
    affine[:3, :3] = [[0, -0.5, 0], [0.7, 0, 1.2], [0, 0, 1.6]]
    np.testing.assert_allclose(Volume(**fields(affine=affine)).spacing, (0.7, 0.5, 2.0))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("array", np.zeros((3, 4))),
        ("affine", np.eye(3)),
        ("slope", np.ones(3)),
        ("intercept", np.zeros(1)),
        ("padding", (5, 4)),
    ],
)
def test_fields_that_disagree_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        Volume(**fields(**{name: value}))


def test_lazy_frames_are_made_when_asked_for_and_loaded_once():
    made = []

    def make(index):
        made.append(index)
        return np.full((3, 4), index, np.uint16)

    frames = LazyFrames((2, 3, 4), np.dtype(np.uint16), make)
    volume = Volume(**fields(array=frames))
    assert made == []
    assert volume.array[1].tolist() == np.full((3, 4), 1).tolist()
    assert made == [1]
    loaded = volume.load()
    np.testing.assert_array_equal(loaded.array, [np.zeros((3, 4)), np.ones((3, 4))])
    assert isinstance(loaded.array, np.ndarray)
    assert loaded.array.dtype == np.uint16
    assert made == [1, 0, 1]
    assert frames[-1][0, 0] == 1
    with pytest.raises(IndexError):
        frames[2]


def test_pixels_without_image_are_padding_and_what_is_not_finite():
    array = np.array([[[-2000.0, -1500.0, 5.0, np.nan]]], np.float32)
    others = {"slope": np.full(1, 2.0), "intercept": np.full(1, 1.0), "stored_range": (-np.inf, np.inf)}
    volume = Volume(**fields(array=array, padding=(-2000, -1600), **others))
    assert volume.without_image(0).tolist() == [[True, False, False, True]]
    assert volume.real_frame(0)[0, 2] == 11


def test_provenance_refuses_a_scale_factor_below_one():
    with pytest.raises(ValueError, match="scale_factor is 0"):
        Provenance(0, "edsr_mri", "0.1.0", "ab", "0.1.0")
