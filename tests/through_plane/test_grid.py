import numpy as np
import pytest

from monai_sr.errors import InputError
from monai_sr.through_plane.grid import SliceGrid

GRIDS = [
    SliceGrid(10, 30),
    SliceGrid(12, 48, 1.0, "gaussian"),
    SliceGrid(9, 40, 0.8),
    SliceGrid(14, 33, 1.2, "gaussian"),
]
INNER = slice(3, -3)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
class TestEveryGrid:
    def test_slices_lie_where_they_see(self, grid):
        # The mean place that a slice sees is its own: a shift by half of a finer slice would be 0.5 / ratio.
        error = (grid.degradation @ grid.positions - np.arange(grid.coarse))[INNER]
        assert np.abs(error).max() < 0.1 / grid.ratio
        np.testing.assert_allclose(grid.degradation.sum(1), 1)

    def test_the_smoothest_agrees_and_keeps_a_ramp_in_place(self, grid):
        agreement = grid.degradation @ grid.interpolation
        np.testing.assert_allclose(agreement, np.eye(grid.coarse), atol=1e-9)
        ramp = grid.interpolation @ np.arange(grid.coarse)
        inner = slice(int(3 * grid.ratio), -int(3 * grid.ratio))
        assert np.abs(ramp - grid.positions)[inner].max() < 0.1 / grid.ratio
        np.testing.assert_allclose(grid.interpolation.sum(1), 1, atol=1e-3)

    def test_each_finer_slice_lies_in_its_nearest(self, grid):
        assert np.abs(grid.positions - grid.nearest).max() <= 0.5
        assert grid.positions[0] == pytest.approx(-0.5 + 0.5 / grid.ratio)
        assert grid.positions[-1] == pytest.approx(grid.coarse - 0.5 - 0.5 / grid.ratio)


def test_a_box_is_the_mean_of_its_slices():
    values = np.random.default_rng(0).random(12)
    np.testing.assert_allclose(SliceGrid(4, 12).degradation @ values, values.reshape(4, 3).mean(1))


def test_a_gaussian_has_its_width():
    grid = SliceGrid(11, 1100, 0.8, "gaussian")
    seen = grid.degradation[5]
    half = np.flatnonzero(seen >= seen.max() / 2)
    assert len(half) / grid.ratio == pytest.approx(0.8, abs=0.02)
    variance = seen @ (grid.positions - 5) ** 2
    assert np.sqrt(variance) == pytest.approx(grid.blur, rel=1e-3)


def test_wrong_grids_are_refused():
    with pytest.raises(ValueError, match="fine must be above coarse"):
        SliceGrid(4, 4)
    with pytest.raises(ValueError, match="thickness"):
        SliceGrid(4, 8, 0.0)
    with pytest.raises(InputError, match="box or gaussian"):
        SliceGrid(4, 8, 1.0, "round")
