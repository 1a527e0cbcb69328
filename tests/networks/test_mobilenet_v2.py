from __future__ import annotations

import pytest
import torch

from monai_sr.errors import InputError
from monai_sr.networks import MobileNetV2Features
from monai_sr.networks.mobilenet_v2 import MOBILENET_V2_URL, mobilenet_v2_trunk


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    state = {f"features.{key}": value for key, value in mobilenet_v2_trunk().state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2.pt"
    torch.save(state, path)
    return path


def test_the_paper_s_trunk_has_its_keys_and_number_of_parameters():
    trunk = mobilenet_v2_trunk()
    # torchvision's 3,504,872 less the classifier's 1,281,000.
    assert sum(parameter.numel() for parameter in trunk.parameters()) == 2_223_872
    keys = trunk.state_dict()
    assert len(keys) == 312
    for key in ("0.0.weight", "1.conv.0.0.weight", "1.conv.2.running_var", "17.conv.3.bias", "18.1.weight"):
        assert key in keys


@pytest.mark.parametrize(("layer", "channels", "size"), [(18, 1280, 3), (6, 32, 12), (0, 32, 48)])
def test_layers_halve_the_size_as_in_the_paper(weights, layer, channels, size):
    assert MobileNetV2Features(weights, layer)(torch.rand(2, 1, 96, 96)).shape == (2, channels, size, size)


def test_running_statistics_are_loaded_and_stay(weights, tmp_path):
    state = torch.load(weights)
    state["features.18.1.running_mean"].fill_(-7.0)
    torch.save(state, tmp_path / "shifted.pt")
    features = MobileNetV2Features(tmp_path / "shifted.pt").train()
    features(torch.rand(2, 1, 64, 64))
    assert (features.features[18][1].running_mean == -7).all()
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_a_missing_layer_is_an_error_that_names_it(weights, tmp_path):
    state = torch.load(weights)
    del state["features.17.conv.3.running_mean"]
    torch.save(state, tmp_path / "cut.pt")
    with pytest.raises(InputError, match=r"features\.17\.conv\.3\.running_mean"):
        MobileNetV2Features(tmp_path / "cut.pt")
    assert MobileNetV2Features(tmp_path / "cut.pt", 16)


def test_vgg19_s_weights_are_refused(vgg19_weights):
    with pytest.raises(
        InputError, match=r"not of the network of MobileNetV2Features: not even features\.0\.0\.weight"
    ):
        MobileNetV2Features(vgg19_weights)


def test_an_unknown_layer_is_named(weights):
    with pytest.raises(ValueError, match="layer must be"):
        MobileNetV2Features(weights, 19)


def test_published_address_is_torchvision_s():
    assert MOBILENET_V2_URL == "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"


def test_real_weights_tell_images_apart(weights_dir):
    features = MobileNetV2Features(weights_dir / "mobilenet_v2_torchvision_keys_bnfolded_fp16.pt")
    ramp = torch.linspace(0, 1, 96).expand(1, 1, 96, 96)
    noise = torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    apart = (features(ramp) - features(noise)).abs().mean()
    again = (features(ramp) - features(ramp + 1e-3)).abs().mean()
    assert apart > 0.1
    assert again < apart / 10
