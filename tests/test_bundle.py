from __future__ import annotations

import hashlib
import json

import pytest
import torch

from monai_sr import EDSR, Upscaler
from monai_sr.bundle import Bundle, bundle_folders, default_root, find_bundle, weights_file
from monai_sr.errors import InputError
from monai_sr.evaluate import make_degradation

NETWORK = {
    "_target_": "monai_sr.networks.EDSR",
    "scale_factor": "@scale_factor",
    "channels": 4,
    "num_blocks": 1,
}


def network(scale_factor=2):
    return EDSR(scale_factor, channels=4, num_blocks=1)


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A small bundle with weights for x2 and x4, in the folder `bundles` of the current one."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "bundles" / "tiny"
    (root / "configs").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "configs" / "metadata.json").write_text(json.dumps({"name": "tiny", "version": "1.2.3"}))
    (root / "configs" / "inference.json").write_text(json.dumps({"scale_factor": 2, "network_def": NETWORK}))
    for scale_factor in (2, 4):
        torch.save(network(scale_factor).state_dict(), weights_file(root, scale_factor))
    return root


def test_a_bundle_is_found_by_name_and_by_path(bundle):
    assert find_bundle("tiny").root.resolve() == bundle
    assert find_bundle(bundle).root == find_bundle(str(bundle)).root == bundle
    assert (find_bundle(bundle).name, find_bundle(bundle).version) == ("tiny", "1.2.3")
    assert "tiny" in bundle_folders()


def test_only_a_configuration_of_the_package_is_its_own(bundle):
    assert not find_bundle("tiny").is_own
    config = bundle / "configs" / "inference.json"
    known = (find_bundle("edsr_mri").root / "configs" / "inference.json").read_bytes()
    config.write_bytes(known)
    assert find_bundle("tiny").is_own
    config.write_bytes(known + b" ")
    assert not find_bundle("tiny").is_own
    config.unlink()
    assert not find_bundle("tiny").is_own
    assert find_bundle("edsr_mri").is_own
    assert find_bundle(find_bundle("edsr_mri").root.resolve()).is_own


def test_a_missing_bundle_names_those_that_exist(bundle, tmp_path):
    with pytest.raises(InputError, match=r"no bundle huge: use one of .*tiny"):
        find_bundle("huge")
    with pytest.raises(InputError, match=r"metadata\.json"):
        find_bundle(tmp_path)


def test_a_bundle_s_own_folder_is_its_root(bundle, monkeypatch):
    assert default_root("tiny").resolve() == bundle
    monkeypatch.chdir(bundle)
    assert default_root("tiny") == bundle
    copy = bundle.parent / "copy"
    (copy / "configs").mkdir(parents=True)
    (copy / "configs" / "metadata.json").write_text('{"name": "tiny"}')
    monkeypatch.chdir(copy)
    assert default_root("tiny") == copy
    with pytest.raises(InputError, match="no bundle other"):
        default_root("other")


def test_weights_are_named_by_scale(bundle):
    found = Bundle(bundle)
    assert found.scale_factors == [2, 4]
    assert found.weights(2).name.endswith("model.pt")
    assert found.weights(4).name.endswith("model_x4.pt")
    with pytest.raises(InputError, match=r"tiny has no weights for scale factor 3, but for 2, 4:"):
        found.weights(3)
    (bundle / "models" / "model_x4_old.pt").touch()
    assert found.scale_factors == [2, 4]
    for path in (bundle / "models").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="nor for any other"):
        found.weights(2)


@pytest.mark.parametrize("scale_factor", [2, 3, 4])
def test_the_network_is_the_config_s_at_the_scale_asked_for(bundle, scale_factor):
    found = Bundle(bundle).network(scale_factor)
    assert isinstance(found, EDSR)
    assert found.scale_factor == scale_factor
    assert found(torch.rand(1, 1, 3, 5)).shape == (1, 1, 3 * scale_factor, 5 * scale_factor)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "inference.json"),
        ("[1]", "inference.json"),
        ('{"scale_factor": 2}', "network_def"),
        ('{"network_def": {"_target_": "monai_sr.networks.Missing"}}', "Missing"),
        ('{"network_def": {"_target_": "monai_sr.networks.EDSR", "depth": 3}}', "depth"),
        ('{"network_def": 5}', "no network"),
        (json.dumps({"network_def": {**NETWORK, "channels": 0}}), "channels must be above 0"),
    ],
)
def test_a_config_without_a_network_is_named(bundle, config, reason):
    (bundle / "configs" / "inference.json").write_text(config)
    with pytest.raises(InputError, match=reason):
        Bundle(bundle).network(2)


def test_a_scale_that_the_network_does_not_know_is_named(bundle):
    with pytest.raises(InputError, match=r"scale factor 5.*scale_factor must be 3 or a power of two"):
        Bundle(bundle).network(5)


def test_a_bundle_without_a_config_is_named(bundle):
    (bundle / "configs" / "inference.json").unlink()
    with pytest.raises(InputError, match=r"inference\.json"):
        Bundle(bundle).network(2)


@pytest.mark.parametrize("card", ["{", "[]", '"tiny"'])
def test_a_damaged_card_is_named(bundle, card):
    (bundle / "configs" / "metadata.json").write_text(card)
    with pytest.raises(InputError, match=r"metadata\.json"):
        find_bundle(bundle).version  # noqa: B018 - read on first use


def test_a_folder_with_metadata_of_something_else_is_no_bundle(bundle):
    (bundle / "configs" / "metadata.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="tiny is no bundle"):
        find_bundle(bundle)


@pytest.mark.parametrize("scale_factor", [0, 1, -2])
def test_a_scale_below_two_is_refused(bundle, scale_factor):
    with pytest.raises(InputError, match=f"scale factor must be 2 or more, got {scale_factor}"):
        Upscaler.from_bundle(bundle, scale_factor)
    with pytest.raises(InputError, match=f"scale factor must be 2 or more, got {scale_factor}"):
        make_degradation("kspace", scale_factor)


def test_an_upscaler_from_a_bundle_says_what_it_is(bundle):
    found = Upscaler.from_bundle("tiny", scale_factor=4, device="cpu")
    assert found.scale_factor == 4
    assert found.provenance.bundle == "tiny"
    assert found.provenance.bundle_version == "1.2.3"
    assert found.provenance.weights_sha256 == hashlib.sha256(weights_file(bundle, 4).read_bytes()).hexdigest()
    assert Upscaler.from_bundle(bundle, device="cpu").scale_factor == 2


def test_alpha_goes_from_the_pixel_stage_to_the_final_one(bundle):
    with pytest.raises(InputError, match="no pixel-loss weights for scale factor 2"):
        Upscaler.from_bundle("tiny", alpha=0.3)
    torch.save(network().state_dict(), weights_file(bundle, 2, "pixel"))
    pixel, final = (torch.load(weights_file(bundle, 2, stage))["head.weight"] for stage in ("pixel", ""))
    upscaler = Upscaler.from_bundle("tiny", device="cpu", alpha=0.25)
    torch.testing.assert_close(upscaler.network.head.weight.data, 0.75 * pixel + 0.25 * final)
    assert "0.25 of" in upscaler.provenance.description
    for alpha in (-0.1, 1.5, float("nan")):
        with pytest.raises(InputError, match="alpha must be from 0"):
            Upscaler.from_bundle("tiny", alpha=alpha)
    with pytest.raises(InputError, match="exclude each other"):
        Upscaler.from_bundle("tiny", alpha=0.5, weights=weights_file(bundle, 2))


def test_weights_of_one_s_own_replace_the_bundle_s(bundle, tmp_path):
    own = network(3)
    torch.save(own.state_dict(), tmp_path / "own.pt")
    found = Upscaler.from_bundle("tiny", 3, weights=tmp_path / "own.pt", device="cpu")
    assert torch.equal(found.network.head.weight, own.head.weight)
    with pytest.raises(InputError, match="another network or scale factor"):
        Upscaler.from_bundle("tiny", 2, weights=tmp_path / "own.pt", device="cpu")


def test_weights_that_are_not_those_of_the_card_are_refused(bundle):
    card = bundle / "configs" / "metadata.json"
    stated = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in bundle.glob("models/*.pt")}
    card.write_text(json.dumps({"name": "tiny", "weights_sha256": stated}))
    assert Bundle(bundle).weights(2).sha256 == stated["model.pt"]
    torch.save(network(2).state_dict(), bundle / "models" / "model.pt")
    with pytest.raises(InputError, match=r"model\.pt is not the file that .*metadata\.json names"):
        Bundle(bundle).weights(2)
    assert Bundle(bundle).weights(4).sha256 == stated["model_x4.pt"]


def test_released_networks_need_no_parser(monkeypatch):
    monkeypatch.delattr("monai_sr.bundle._parsed_network")
    released = [found for found in map(find_bundle, bundle_folders().values()) if found.is_own]
    assert len(released) == 9
    for found in released:
        assert found.network(2).scale_factor == 2
