from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer

from monai_sr.engines import AutocastInferer


class Recorder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 1, 3, padding=1)
        self.seen = []

    def forward(self, x):
        y = self.conv(x)
        self.seen.append(y.dtype)
        return y


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_network_computes_in_dtype_and_the_output_is_float32(dtype):
    network = Recorder()
    output = AutocastInferer(dtype)(torch.rand(1, 1, 8, 8), network)
    assert network.seen == [getattr(torch, dtype)]
    assert output.dtype == torch.float32


def test_it_is_close_to_full_precision_and_lets_gradients_through():
    network, images = Recorder(), torch.rand(1, 1, 8, 8)
    output = AutocastInferer("bfloat16")(images, network)
    assert torch.allclose(output, network(images), atol=0.02)
    output.sum().backward()
    assert network.conv.weight.grad.dtype == torch.float32


def test_full_precision_holds_inside_an_outer_autocast():
    network = Recorder()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        AutocastInferer("float32")(torch.rand(1, 1, 8, 8), network)
    assert network.seen == [torch.float32]


def test_it_wraps_another_inferer_and_takes_meta_tensors():
    network = Recorder()
    inferer = AutocastInferer("bfloat16", SlidingWindowInferer(roi_size=(8, 8)))
    output = inferer(MetaTensor(torch.rand(1, 1, 16, 8)), network)
    assert output.shape == (1, 1, 16, 8)
    assert output.dtype == torch.float32
    assert set(network.seen) == {torch.bfloat16}


def test_unknown_dtype_is_named():
    with pytest.raises(ValueError, match="dtype"):
        AutocastInferer("half")
