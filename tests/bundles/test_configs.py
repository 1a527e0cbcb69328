"""What a bundle promises to MONAI: properties, metadata, network, exports; and committed equals compiled."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigWorkflow, ckpt_export, verify_metadata, verify_net_in_out

from monai_sr.bundle import Bundle, weights_file
from tests.bundles.commands import BUNDLES, NAMES, ROOT, is_adversarial

EACH_NETWORK = ["edsr_mri", "srgan_mri", "swift_srgan_mri"]
BUILD = str(ROOT / "scripts" / "build_bundles.py")


def build(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", [BUILD, *options])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(BUILD, run_name="__main__")
    return int(stopped.value.code or 0)


def workflow(bundle: Path, kind: str, *configs: str) -> ConfigWorkflow:
    made = ConfigWorkflow(
        workflow_type=kind,
        config_file=[str(bundle / "configs" / name) for name in configs],
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
    )
    made.initialize()
    return made


def test_committed_bundles_equal_their_parts(monkeypatch):
    assert build(monkeypatch, "--check") == 0


def test_a_changed_bundle_is_found(monkeypatch, capsys):
    config = BUNDLES / NAMES[0] / "configs" / "evaluate.json"
    text = config.read_text(encoding="utf-8")
    try:
        config.write_text(text.replace("evaluating", "evaluated"), encoding="utf-8")
        assert build(monkeypatch, "--check") == 1
    finally:
        config.write_text(text, encoding="utf-8")
    assert "evaluate.json" in capsys.readouterr().out


def test_bundles_are_complete(bundle):
    for name in (
        *("LICENSE", "configs/metadata.json", "configs/train.json", "configs/evaluate.json"),
        *("configs/inference.json", "configs/multi_gpu_train.json", "configs/logging.conf"),
        *("docs/README.md", "docs/data_license.txt"),
    ):
        assert (bundle / name).is_file(), name
    assert json.loads((bundle / "configs/metadata.json").read_text())["name"] == bundle.name


@pytest.mark.parametrize("configs", [["train.json"], ["train.json", "evaluate.json"]])
def test_every_property_of_training_is_there(bundle, configs):
    assert workflow(bundle, "train", *configs).check_properties() == []


def test_every_property_of_inference_is_there(released):
    assert workflow(released, "infer", "inference.json").check_properties() == []


def test_released_weights_come_with_their_records(released):
    for scale in Bundle(released).scale_factors:
        assert json.loads((released / "docs" / f"training_x{scale}.json").read_text())["runs"]
        assert (released / "docs" / f"training_x{scale}.csv").is_file()
        if is_adversarial(released):
            assert weights_file(released, scale, "pixel").is_file()
            assert (released / "docs" / f"pixel_training_x{scale}.csv").is_file()


def test_all_weights_together_stay_small():
    sizes = [path.stat().st_size for path in BUNDLES.rglob("models/*.pt")]
    assert 1e6 < sum(sizes) < 150e6


def test_metadata_fits_the_schema(bundle, schema_path, tmp_path):
    meta = str(bundle / "configs" / "metadata.json")
    verify_metadata(meta_file=meta, filepath=str(schema_path))
    broken = tmp_path / "metadata.json"
    broken.write_text(json.dumps({**json.loads(Path(meta).read_text()), "task": 1}))
    with pytest.raises(ValueError, match="not of type"):
        verify_metadata(meta_file=str(broken), filepath=str(schema_path))


def test_network_takes_and_gives_what_the_card_says(bundle):
    configs = bundle / "configs"
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "inference.json"),
    )


@pytest.mark.parametrize("name", EACH_NETWORK)
@pytest.mark.parametrize("scale_factor", [2, 4, 8])
def test_scale_is_output_over_input_for_any_size_and_the_same_each_time(name, scale_factor):
    network = Bundle(BUNDLES / name).network(scale_factor).eval()
    # What begins at zero is not zero after training: without it the network would be its bicubic skip.
    for value in network.state_dict().values():
        if value.is_floating_point() and not value.any():
            value.normal_(std=0.05)
    scripted = torch.jit.script(network)
    for rows, columns in ((1, 1), (1, 7), (5, 3), (17, 32), (33, 31)):
        image = torch.rand(1, 1, rows, columns)
        with torch.inference_mode():
            out = network(image)
            assert out.shape == (1, 1, rows * scale_factor, columns * scale_factor)
            assert torch.isfinite(out).all()
            assert torch.equal(out, network(image))
            torch.testing.assert_close(scripted(image), out)


@pytest.mark.parametrize("name", EACH_NETWORK)
@pytest.mark.parametrize("scale_factor", [2, 4, 8])
def test_a_tile_4096_pixels_wide_is_taken(name, scale_factor):
    network = Bundle(BUNDLES / name).network(scale_factor).eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 1, 2, 4096)).shape == (1, 1, 2 * scale_factor, 4096 * scale_factor)


def test_modalities_share_their_networks(bundle):
    folders = (bundle, BUNDLES / f"{bundle.name.rpartition('_')[0]}_mri")
    one, other = (json.loads((folder / "configs/inference.json").read_text()) for folder in folders)
    assert one["network_def"] == other["network_def"]


def test_released_weights_export_to_torchscript(released, tmp_path):
    bundle, configs = released, released / "configs"
    exported = tmp_path / "model.ts"
    ckpt_export(
        net_id="network_def",
        filepath=str(exported),
        ckpt_file=str(bundle / "models" / "model.pt"),
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "inference.json"),
    )
    image = torch.rand(1, 1, 9, 11)
    network = Bundle(bundle).network(2).eval()
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    with torch.inference_mode():
        torch.testing.assert_close(torch.jit.load(str(exported)).eval()(image), network(image))
