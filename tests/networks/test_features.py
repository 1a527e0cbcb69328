from __future__ import annotations

import hashlib
import http.server
import shutil
import threading
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from monai_sr.errors import InputError
from monai_sr.networks import VGG19Features
from monai_sr.networks.features import VGG19_URL, ImageNetNormalize, load_feature_weights

# torchvision's index of each convolution of VGG19, with its channels in and out.
CONVOLUTIONS = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256)}


@pytest.fixture(scope="module")
def shallow_weights(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    state = {}
    for index, (inputs, outputs) in CONVOLUTIONS.items():
        weight = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        state[f"features.{index}.weight"] = weight.half()
        state[f"features.{index}.bias"] = torch.randn(outputs, generator=generator).half() * 0.1
    path = tmp_path_factory.mktemp("weights") / "vgg19_to_conv3_1.pt"
    torch.save(state, path)
    return path


@pytest.fixture
def server(tmp_path):
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", tmp_path
        server.shutdown()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


def test_relu2_2_equals_torchvision_s_index_8(shallow_weights):
    state = torch.load(shallow_weights)
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
    features = VGG19Features(shallow_weights, "relu2_2")
    assert len(features.features) == 8 + 1
    assert torch.allclose(features(images), x, atol=1e-5)


def test_half_precision_file_becomes_float32(shallow_weights):
    assert {value.dtype for value in VGG19Features(shallow_weights, "relu2_2").state_dict().values()} == {
        torch.float32
    }


def test_relu5_4_is_index_35_and_takes_16_pixels(tmp_path):
    with torch.device("meta"):
        from monai_sr.networks.features import _vgg19_trunk

        trunk = _vgg19_trunk("relu5_4")
    assert len(trunk) == 35 + 1
    assert isinstance(trunk[35], torch.nn.ReLU)
    assert trunk(torch.empty(1, 3, 16, 16, device="meta")).shape == (1, 512, 1, 1)
    convolutions = {
        i: (m.in_channels, m.out_channels) for i, m in enumerate(trunk) if isinstance(m, torch.nn.Conv2d)
    }
    assert CONVOLUTIONS.items() <= convolutions.items()
    assert list(convolutions) == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]


def test_features_stay_frozen_while_the_input_gets_a_gradient(shallow_weights):
    features = VGG19Features(shallow_weights, "relu2_2").train()
    assert not features.training
    assert not any(parameter.requires_grad for parameter in features.parameters())
    images = torch.rand(1, 1, 16, 16, requires_grad=True)
    features(images).sum().backward()
    assert images.grad.abs().sum() > 0


def test_a_missing_layer_is_an_error_that_names_it(shallow_weights):
    with pytest.raises(InputError, match=r"weights=.*features\.12\.weight.*layer=relu5_4"):
        VGG19Features(shallow_weights, "relu5_4")


def test_a_wrong_shape_is_an_error_that_names_the_layer(shallow_weights, tmp_path):
    state = torch.load(shallow_weights)
    state["features.5.weight"] = state["features.5.weight"][:8]
    torch.save(state, tmp_path / "pruned.pt")
    with pytest.raises(InputError, match=r"features\.5\.weight of shape \(8, 64, 3, 3\)"):
        VGG19Features(tmp_path / "pruned.pt", "relu2_2")


def test_a_missing_or_damaged_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        VGG19Features(tmp_path / "absent.pt", "relu2_2")
    (tmp_path / "damaged.pt").write_bytes(b"not weights")
    with pytest.raises(InputError, match="not a readable file of weights"):
        VGG19Features(tmp_path / "damaged.pt", "relu2_2")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(InputError, match="not a state dict"):
        VGG19Features(tmp_path / "list.pt", "relu2_2")


def test_a_pickled_object_is_refused(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pt")
    with pytest.raises(InputError, match="not a readable file of weights"):
        load_feature_weights(tmp_path / "module.pt")


def test_an_unknown_layer_is_named(shallow_weights):
    with pytest.raises(ValueError, match="layer must be"):
        VGG19Features(shallow_weights, "conv2_2")


def test_published_weights_are_downloaded_once_and_their_hash_checked(
    server, hub, shallow_weights, monkeypatch
):
    address, folder = server
    digest = hashlib.sha256(shallow_weights.read_bytes()).hexdigest()[:8]
    served = folder / f"vgg19-{digest}.pth"
    shutil.copy(shallow_weights, served)
    monkeypatch.setattr("monai_sr.networks.features.VGG19_URL", f"{address}/{served.name}")
    first = VGG19Features("published", "relu2_2")
    served.unlink()
    again = VGG19Features("published", "relu2_2")
    assert torch.equal(first.features[0].weight, again.features[0].weight)


def test_a_download_that_does_not_match_its_hash_is_refused(server, hub, shallow_weights):
    address, folder = server
    shutil.copy(shallow_weights, folder / "vgg19-00000000.pth")
    with pytest.raises(InputError, match="invalid hash value"):
        load_feature_weights(f"{address}/vgg19-00000000.pth")
    assert not list((folder / "hub").rglob("*.pth"))


def test_a_failed_download_says_what_to_do(server, hub):
    with pytest.raises(InputError, match="name a local copy"):
        load_feature_weights(f"{server[0]}/vgg19-00000000.pth")


def test_an_address_without_a_hash_is_refused():
    with pytest.raises(InputError, match="SHA-256"):
        load_feature_weights("http://127.0.0.1/vgg19.pth")


def test_published_address_is_torchvision_s():
    assert VGG19_URL == "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"


def test_normalisation_follows_the_declared_range():
    images = torch.rand(2, 1, 3, 3)
    unit = ImageNetNormalize()(images)
    assert unit.shape == (2, 3, 3, 3)
    assert torch.allclose(ImageNetNormalize((-1.0, 1.0))(images * 2 - 1), unit, atol=1e-5)
    assert torch.allclose(ImageNetNormalize((0, 255))(images * 255), unit, atol=1e-5)
    assert not ImageNetNormalize().state_dict()
    with pytest.raises(ValueError, match="value_range"):
        ImageNetNormalize((1.0, 0.0))


def test_real_weights_see_structure(weights_dir):
    path = weights_dir / "vgg19_normalised_conv1_1-conv3_1_torchvision_keys_fp16.pt"
    features = VGG19Features(path, "relu2_2")
    ramp = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)
    # The channels of this file are normalised: their mean activation on natural images is about 1.
    assert 0.05 < features(ramp).mean() < 20
    with pytest.raises(InputError, match=r"features\.12\.weight"):
        VGG19Features(path, "relu5_4")
