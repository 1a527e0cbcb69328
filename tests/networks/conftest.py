from __future__ import annotations

import pytest
import torch

# torchvision's index of each convolution of VGG19, with its channels in and out.
CONVOLUTIONS = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256)}


@pytest.fixture(scope="session")
def vgg19_weights(tmp_path_factory):
    """Half-precision weights of VGG19 up to conv3_1, random but of a trained network's size."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for index, (inputs, outputs) in CONVOLUTIONS.items():
        weight = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        state[f"features.{index}.weight"] = weight.half()
        state[f"features.{index}.bias"] = torch.randn(outputs, generator=generator).half() * 0.1
    path = tmp_path_factory.mktemp("weights") / "vgg19_to_conv3_1.pt"
    torch.save(state, path)
    return path
