from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from monai_sr.errors import InputError
from monai_sr.networks import VGG19Features
from monai_sr.networks.vgg19 import VGG19_URL, vgg19_trunk
from tests.networks.conftest import CONVOLUTIONS


def test_relu2_2_equals_torchvision_s_index_8(vgg19_weights):
    state = torch.load(vgg19_weights)
    images = torch.rand(2, 1, 20, 24)
    x = images.repeat(1, 3, 1, 1)
    x = (x - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        3, 1, 1
    )
    for index in (0, 2, 5, 7):
        x = F.relu(
            F.conv2d(
                x,
                state[f"features.{index}.weight"].float(),
                state[f"features.{index}.bias"].float(),
                padding=1,
            )
        )
        x = F.max_pool2d(x, 2) if index == 2 else x
    features = VGG19Features(vgg19_weights, "relu2_2")
    assert len(features.features) == 8 + 1
    assert torch.allclose(features(images), x, atol=1e-5)


def test_half_precision_file_becomes_float32(vgg19_weights):
    assert {value.dtype for value in VGG19Features(vgg19_weights, "relu2_2").state_dict().values()} == {
        torch.float32
    }


def test_relu5_4_is_index_35_and_takes_16_pixels():
    with torch.device("meta"):
        trunk = vgg19_trunk("relu5_4")
    assert len(trunk) == 35 + 1
    assert isinstance(trunk[35], torch.nn.ReLU)
    assert trunk(torch.empty(1, 3, 16, 16, device="meta")).shape == (1, 512, 1, 1)
    convolutions = {
        i: (m.in_channels, m.out_channels) for i, m in enumerate(trunk) if isinstance(m, torch.nn.Conv2d)
    }
    assert CONVOLUTIONS.items() <= convolutions.items()
    assert list(convolutions) == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]


def test_an_unknown_layer_is_named(vgg19_weights):
    with pytest.raises(ValueError, match="layer must be"):
        VGG19Features(vgg19_weights, "conv2_2")


def test_published_address_is_torchvision_s():
    assert VGG19_URL == "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"


def test_real_weights_see_structure(weights_dir):
    path = weights_dir / "vgg19_normalised_conv1_1-conv3_1_torchvision_keys_fp16.pt"
    features = VGG19Features(path, "relu2_2")
    ramp = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)
    # The channels of this file are normalised: their mean activation on natural images is about 1.
    assert 0.05 < features(ramp).mean() < 20
    with pytest.raises(InputError, match=r"features\.12\.weight"):
        VGG19Features(path, "relu5_4")
