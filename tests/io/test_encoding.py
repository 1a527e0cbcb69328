from pathlib import Path

import numpy as np
import pytest

from monai_sr.io.encoding import check_encodable, stored_frame
from monai_sr.volume import Source, Volume


def volume(array, stored_range):
    frames = len(array)
    return Volume(array, np.eye(4), np.ones(frames), np.zeros(frames), stored_range, Source(), Path("in"))


def test_fitting_volume_is_accepted():
    check_encodable(volume(np.full((2, 6, 8), 4095, np.uint16), (0, 4095)), 2, 3, 4, np.dtype(np.uint16), 2)
    check_encodable(volume(np.full((1, 3, 4), np.inf), (-np.inf, np.inf)), 1, 3, 4, np.dtype(np.float64), 1)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((2, 6, 9), np.uint16), "shape"),
        (np.zeros((2, 6, 8), np.float32), "float32"),
    ],
)
def test_volume_that_does_not_fit_is_refused(array, reason):
    with pytest.raises(ValueError, match=reason):
        check_encodable(volume(array, (0, 4095)), 2, 3, 4, np.dtype(np.uint16), 2)


def test_a_frame_beyond_the_encoding_is_refused():
    frames = np.stack([np.full((6, 8), 4095, np.uint16), np.full((6, 8), 4096, np.uint16)])
    np.testing.assert_array_equal(stored_frame(volume(frames, (0, 4095)), 0), frames[0])
    with pytest.raises(ValueError, match="clip"):
        stored_frame(volume(frames, (0, 4095)), 1)
