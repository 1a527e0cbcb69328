from __future__ import annotations

import csv
import json
import math
import runpy

import pytest
import torch
from torch import nn

from monai_sr.bundle import Bundle
from monai_sr.networks import EDSR
from monai_sr.sample import sample_dataset_dir
from tests.bundles.commands import BUNDLES, RELEASED, ROOT


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "scripts" / "train_released_weights.py"))


def test_every_released_weight_has_its_settings(script):
    wanted = {f"{name}_x{scale}" for name in RELEASED for scale in Bundle(BUNDLES / name).scale_factors}
    assert wanted
    assert wanted <= set(script["RELEASES"])
    for release in wanted:
        bundle, scale = release.rsplit("_x", 1)
        record = json.loads((BUNDLES / bundle / "docs" / f"training_x{scale}.json").read_text())
        assert record["runs"] == script["RELEASES"][release]
        assert min(record["half_precision_psnr"].values()) >= 60


def test_a_deepened_network_does_the_same_and_can_learn_more(script):
    shallow = EDSR(2, channels=4, num_blocks=2)
    deep = EDSR(2, channels=4, num_blocks=5)
    deep.load_state_dict(script["deepen"](shallow.state_dict(), 5))
    image = torch.rand(1, 1, 9, 7)
    assert torch.equal(deep(image), shallow(image))
    nn.functional.mse_loss(deep(image), torch.rand(1, 1, 18, 14)).backward()
    assert deep.body[4].body[2].weight.grad.abs().sum() > 0


def test_logs_of_successive_runs_become_one(script, tmp_path):
    for number, header in enumerate(("epoch,loss", "epoch,loss,val_psnr")):
        (tmp_path / f"{number}.csv").write_text(f"{header}\n1,0.5{',30' * number}\n")
    script["write_log"]([tmp_path / "0.csv", tmp_path / "1.csv"], tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"run": "1", "epoch": "1", "loss": "0.5", "val_psnr": ""},
        {"run": "2", "epoch": "1", "loss": "0.5", "val_psnr": "30"},
    ]
    curves = script["read_curves"](tmp_path / "all.csv")
    assert curves["run 2"] == {"loss": [0.5], "val_psnr": [30]}
    assert math.isnan(curves["run 1"]["val_psnr"][0])


def test_data_are_described_without_a_name(script):
    facts = script["describe_data"](sample_dataset_dir() / "datalist.json")
    assert facts["training"]["files"] >= 1
    low, high = facts["training"]["pixel_spacing_mm"]
    assert 0 < low <= high < 5
    assert "mni" not in json.dumps(facts).lower()


def test_agreement_is_the_psnr_between_two_outputs(script):
    class Constant(nn.Module):
        def __init__(self, value):
            super().__init__()
            self.value = value

        def forward(self, image):
            return torch.full_like(image, self.value)

    datalist = sample_dataset_dir() / "datalist.json"
    assert script["agreement"](Constant(0.5), Constant(0.6), datalist) == pytest.approx(20)
