"""Volumes and networks for tests of what lies between slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sr.networks import SliceInterpolator
from monai_sr.volume import Source, Volume


def oblique_affine(pixel=1.0, distance=4.0):
    """Rows, columns and slices turned about all axes, far from the origin."""
    turned, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turned * [pixel, pixel, distance]
    affine[:3, 3] = (-40.0, 25.0, 70.0)
    return affine


@pytest.fixture
def make_volume():
    """Function that makes a volume of an array; whole numbers keep their type's range."""

    def make(array, distance=4.0, pixel=1.0, padding=None, slope=None):
        array = np.asarray(array)
        whole = np.issubdtype(array.dtype, np.integer)
        limits = np.iinfo(array.dtype) if whole else None
        return Volume(
            array=array,
            affine=oblique_affine(pixel, distance),
            slope=np.ones(len(array)) if slope is None else np.asarray(slope, float),
            intercept=np.zeros(len(array)),
            stored_range=(float(limits.min), float(limits.max)) if limits else (-np.inf, np.inf),
            source=Source(),
            path=Path("volume"),
            padding=padding,
        )

    return make


@pytest.fixture
def small_network():
    """A network of any weights, whose last layer is not empty."""
    torch.manual_seed(0)
    network = SliceInterpolator(channels=4, num_blocks=1)
    torch.nn.init.normal_(network.tail.weight, std=0.05)
    return network.eval()
