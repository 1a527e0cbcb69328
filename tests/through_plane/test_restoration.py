import numpy as np
import pytest
import torch

from monai_sr.through_plane.grid import SliceGrid
from monai_sr.through_plane.restoration import Restoration


@pytest.mark.parametrize("grid", [SliceGrid(6, 18), SliceGrid(7, 24, 0.9, "gaussian")], ids=str)
def test_whatever_the_network_says_the_slices_are_kept(small_network, grid):
    restore = Restoration(small_network, grid)
    slices = torch.rand(2, 1, grid.coarse, 9)
    with torch.inference_mode():
        finer = restore(slices)
    assert finer.shape == (2, 1, grid.fine, 9)
    assert not torch.allclose(finer, restore.interpolate(slices), atol=1e-3)
    np.testing.assert_allclose(restore.degrade(finer), slices, atol=1e-4)
