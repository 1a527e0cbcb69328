from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from monai_sr.evaluate import bicubic, make_degradation, phantoms
from monai_sr.evaluate.degradations import KERNELS

PHANTOMS = {
    "flat": phantoms.flat,
    "smooth": phantoms.smooth,
    "edge": phantoms.edge,
    "bars": partial(phantoms.bars, frequency=0.75),
}


@pytest.mark.parametrize("scale_factor", [2, 4])
@pytest.mark.parametrize("name", PHANTOMS)
def test_a_phantom_has_black_and_white_around_its_middle(name, scale_factor):
    image = PHANTOMS[name](scale_factor)
    assert image.shape == (96 * scale_factor,) * 2
    assert image.dtype == np.float32
    assert image.min() == pytest.approx(0, abs=1e-3)
    assert image.max() == pytest.approx(1, abs=1e-3)
    # What a network takes for 0 and 1 is the frame.
    assert np.percentile(image, [0.1, 99.9]).round(3).tolist() == [0, 1]
    middle = image[phantoms.inner(scale_factor)]
    assert 0.299 <= middle.min() <= middle.max() <= 0.701


@pytest.mark.parametrize("kernel", KERNELS)
def test_interpolation_shows_what_has_no_structure_as_it_is(kernel):
    for phantom in (phantoms.flat(2), phantoms.smooth(2)):
        low = np.asarray(make_degradation(kernel, 2)(torch.from_numpy(phantom)[None]))
        difference = (bicubic(low, 2)[0] - phantom)[phantoms.inner(2)]
        assert np.abs(difference).max() < 0.01


def test_shading_is_the_same_at_every_scale():
    fine = phantoms.smooth(4)
    half = fine.reshape(192, 2, 192, 2).mean(axis=(1, 3))
    difference = (half - phantoms.smooth(2))[phantoms.inner(2)]
    assert np.abs(difference).max() < 0.005


def test_bars_have_their_frequency():
    middle = phantoms.bars(2, 0.75)[phantoms.inner(2)]
    power = np.abs(np.fft.rfft((middle - middle.mean()) * np.hanning(len(middle)), axis=1)).mean(axis=0)
    frequency = np.fft.rfftfreq(middle.shape[1])[power.argmax()]
    assert frequency == pytest.approx(0.75 * 0.25, abs=0.01)
