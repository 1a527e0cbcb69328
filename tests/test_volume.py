from pathlib import Path

import numpy as np
import pytest

from monai_sr.volume import Provenance, Source, Volume


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
        ("padding", np.zeros((2, 3, 3), bool)),
        ("padding_value", -2000.0),
    ],
)
def test_fields_that_disagree_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        Volume(**fields(**{name: value}))


def test_provenance_refuses_a_scale_factor_below_one():
    with pytest.raises(ValueError, match="scale_factor is 0"):
        Provenance(0, "edsr_mri", "0.1.0", "ab", "0.1.0")
