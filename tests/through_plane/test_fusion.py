import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from monai_sr.through_plane.fusion import accumulate


def test_what_one_volume_lacks_comes_from_the_other():
    sharp = np.random.default_rng(0).normal(size=(16, 18, 20)).astype(np.float32)
    blurred = [gaussian_filter1d(sharp, 1.5, axis, mode="wrap") for axis in (1, 2)]
    fused = accumulate(blurred)
    assert fused.dtype == np.float32
    assert np.square(fused - sharp).mean() < 0.9 * np.square(np.mean(blurred, axis=0) - sharp).mean()


def test_odd_sizes_zeros_and_nothing():
    assert not accumulate([np.zeros((3, 5, 7), np.float32)] * 2).any()
    with pytest.raises(ValueError, match="empty"):
        accumulate([])
