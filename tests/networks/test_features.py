from __future__ import annotations

import hashlib
import http.server
import shutil
import threading
from functools import partial

import pytest
import torch

from monai_sr.errors import InputError
from monai_sr.networks import VGG19Features
from monai_sr.networks.features import ImageNetNormalize, load_feature_weights


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


def test_features_stay_frozen_while_the_input_gets_a_gradient(vgg19_weights):
    features = VGG19Features(vgg19_weights, "relu2_2").train()
    assert not features.training
    assert not any(parameter.requires_grad for parameter in features.parameters())
    images = torch.rand(1, 1, 16, 16, requires_grad=True)
    features(images).sum().backward()
    assert images.grad.abs().sum() > 0


def test_a_missing_layer_is_an_error_that_names_it(vgg19_weights):
    with pytest.raises(InputError, match=r"weights=.*features\.12\.weight.*VGG19Features"):
        VGG19Features(vgg19_weights, "relu5_4")


def test_a_wrong_shape_is_an_error_that_names_the_layer(vgg19_weights, tmp_path):
    state = torch.load(vgg19_weights)
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


def test_published_weights_are_downloaded_once_and_their_hash_checked(
    server, hub, vgg19_weights, monkeypatch
):
    address, folder = server
    digest = hashlib.sha256(vgg19_weights.read_bytes()).hexdigest()[:8]
    served = folder / f"vgg19-{digest}.pth"
    shutil.copy(vgg19_weights, served)
    monkeypatch.setattr("monai_sr.networks.vgg19.VGG19_URL", f"{address}/{served.name}")
    first = VGG19Features("published", "relu2_2")
    served.unlink()
    again = VGG19Features("published", "relu2_2")
    assert torch.equal(first.features[0].weight, again.features[0].weight)


def test_a_download_that_does_not_match_its_hash_is_refused(server, hub, vgg19_weights):
    address, folder = server
    shutil.copy(vgg19_weights, folder / "vgg19-00000000.pth")
    with pytest.raises(InputError, match="invalid hash value"):
        load_feature_weights(f"{address}/vgg19-00000000.pth")
    assert not list((folder / "hub").rglob("*.pth"))


def test_a_failed_download_says_what_to_do(server, hub):
    with pytest.raises(InputError, match="name a local copy"):
        load_feature_weights(f"{server[0]}/vgg19-00000000.pth")


def test_an_address_without_a_hash_is_refused():
    with pytest.raises(InputError, match="SHA-256"):
        load_feature_weights("http://127.0.0.1/vgg19.pth")


def test_normalisation_follows_the_declared_range():
    images = torch.rand(2, 1, 3, 3)
    unit = ImageNetNormalize()(images)
    assert unit.shape == (2, 3, 3, 3)
    assert torch.allclose(ImageNetNormalize((-1.0, 1.0))(images * 2 - 1), unit, atol=1e-5)
    assert torch.allclose(ImageNetNormalize((0, 255))(images * 255), unit, atol=1e-5)
    assert not ImageNetNormalize().state_dict()
    with pytest.raises(ValueError, match="value_range"):
        ImageNetNormalize((1.0, 0.0))
