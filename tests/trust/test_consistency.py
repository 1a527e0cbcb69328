from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_sr.degradation import KERNELS
from monai_sr.errors import InputError
from monai_sr.trust.consistency import MARGIN, TOLERANCE, DataConsistency

RANGE = (0, 4095)


def scene(size=48, seed=0):
    """A bright, ringing-prone image on black, 12 bit."""
    rows, columns = np.mgrid[:size, :size]
    disc = ((rows - size / 2) ** 2 + (columns - size / 2) ** 2 < (size / 3) ** 2) * 3000.0
    return disc + (disc > 0) * np.random.default_rng(seed).normal(0, 200, (size, size))


def source_of(finer, kernel, scale_factor):
    """What a scanner of that kernel would store of it."""
    coarse = KERNELS[kernel](torch.from_numpy(finer.astype(np.float32))[None], scale_factor)[0]
    return coarse.numpy().round().clip(*RANGE)


@pytest.mark.parametrize("scale_factor", [2, 4])
@pytest.mark.parametrize("kernel", KERNELS)
class TestEnforce:
    def test_a_wrong_frame_is_made_to_agree_and_comes_nearer_to_the_truth(self, kernel, scale_factor):
        truth = scene().round().clip(*RANGE)
        low = source_of(truth, kernel, scale_factor)
        wrong = (truth + 40 + 30 * np.sin(np.arange(48) / 5)).round().clip(*RANGE).astype(np.float32)
        check = DataConsistency(kernel, scale_factor, *RANGE)
        assert np.abs(check.residual(wrong, low)).max() > 20
        right = check.enforce(wrong, low)
        assert np.abs(check.residual(right, low)).max() <= TOLERANCE
        assert right.min() >= 0
        assert right.max() <= 4095
        assert np.array_equal(right, right.round())
        assert np.square(right - truth).mean() < np.square(wrong - truth).mean()

    def test_a_frame_that_agrees_stays(self, kernel, scale_factor):
        truth = scene().round().clip(*RANGE).astype(np.float32)
        check = DataConsistency(kernel, scale_factor, *RANGE)
        low = KERNELS[kernel](torch.from_numpy(truth)[None], scale_factor)[0].numpy().clip(*RANGE)
        assert np.array_equal(check.enforce(truth, low), truth)

    def test_floating_point_is_not_rounded(self, kernel, scale_factor):
        truth = scene()
        low = KERNELS[kernel](torch.from_numpy(truth.astype(np.float32))[None], scale_factor)[0].numpy()
        check = DataConsistency(kernel, scale_factor, whole=False)
        right = check.enforce((truth * 0.9).astype(np.float32), low)
        assert np.abs(check.residual(right, low)).max() <= MARGIN + 0.01
        assert not np.array_equal(right, right.round())


def test_the_change_is_the_least_one():
    # Without a range the nearest frame differs by what the adjoint can reach: for means, by a constant each.
    wrong = scene().astype(np.float32)
    low = np.full((24, 24), 1000, np.float32)
    right = DataConsistency("binning", 2, whole=False).enforce(wrong, low)
    change = (right - wrong).reshape(24, 2, 24, 2).swapaxes(1, 2).reshape(24, 24, 4)
    assert np.ptp(change, axis=-1).max() < 1e-2


def test_what_the_range_cuts_off_is_no_difference():
    low = np.array([[0, 4095]], np.float32)
    check = DataConsistency("binning", 2, *RANGE)
    beyond = np.array([[-50, -50, 5000, 5000]] * 2, np.float32)
    assert check.residual(beyond, low).tolist() == [[0, 0]]
    assert check.residual(-beyond, low).tolist() == [[50, -9095]]


def test_where_no_frame_agrees_it_ends():
    low = np.array([[5000, 10], [10, 10]], np.float32)  # more than any finer pixel may be
    check = DataConsistency("binning", 2, *RANGE)
    right = check.enforce(np.zeros((4, 4), np.float32), low)
    assert right[:2, :2].tolist() == [[4095, 4095]] * 2
    assert np.abs(check.residual(right, low).ravel()[1:]).max() <= TOLERANCE


def test_an_unknown_kernel_is_refused():
    with pytest.raises(InputError, match="no kernel lanczos: use one of bicubic"):
        DataConsistency("lanczos", 2)


def test_an_empty_range_is_refused():
    with pytest.raises(ValueError, match="lower must be below upper"):
        DataConsistency("bicubic", 2, 5, 5)
