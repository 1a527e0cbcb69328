import copy

import numpy as np
import pytest
import torch

from monai_sr.errors import InputError
from monai_sr.networks import SliceInterpolator
from monai_sr.through_plane.grid import SliceGrid
from monai_sr.through_plane.training import PatchSampler, train


def rings(size=64):
    rows, columns = np.mgrid[:size, :size]
    return (0.5 + 0.5 * np.sin(np.hypot(rows - 10, columns - 20))).astype(np.float32)


def test_training_learns_to_do_better_than_the_smoothest_and_repeats():
    torch.manual_seed(0)
    first = SliceInterpolator(channels=8, num_blocks=1)
    second = copy.deepcopy(first)
    grid, losses = SliceGrid(12, 36), []
    train(
        first,
        PatchSampler([rings()], 0),
        lambda _: grid,
        40,
        3e-3,
        on_iteration=lambda _, loss: losses.append(loss),
    )
    assert losses[0] == pytest.approx(1)
    assert np.mean(losses[-5:]) < 0.8
    assert not first.training
    train(second, PatchSampler([rings()], 0), lambda _: grid, 40, 3e-3)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def test_patches_are_pieces_of_the_planes():
    plane = np.arange(20 * 30, dtype=np.float32).reshape(20, 30)
    patches = PatchSampler([plane], 1)(25, 18, 8)[:, 0].numpy()
    assert patches.shape == (8, 25, 18)
    # 25 rows are there only in the plane turned; steps along it are then columns' and across it rows'.
    assert set(np.abs(np.diff(patches, axis=1)).ravel()) == {1.0}
    assert set(np.abs(np.diff(patches, axis=2)).ravel()) == {30.0}


def test_too_small_planes_are_refused():
    with pytest.raises(InputError, match="31 x 5 pixels"):
        PatchSampler([np.zeros((30, 20), np.float32)], 0)(31, 5, 1)
    with pytest.raises(ValueError, match="empty"):
        PatchSampler([], 0)
