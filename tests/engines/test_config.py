"""Everything here is built from JSON, as a bundle builds it."""

from __future__ import annotations

import json

import pytest
import torch
from monai.bundle import ConfigParser

from monai_sr.engines import run_stage

CONFIG = """
{
    "imports": ["$import monai", "$import monai_sr", "$import monai_sr.engines"],
    "output_dir": "runs",
    "network": {"_target_": "monai_sr.networks.EDSR", "scale_factor": 2, "channels": 4, "num_blocks": 1},
    "critic": {"_target_": "monai_sr.networks.SRGANDiscriminator", "channels": 2, "norm": "none"},
    "ema": {"_target_": "monai_sr.engines.GeneratorEMA", "network": "@network", "decay": 0.9},
    "g_optimizer": {
        "_target_": "torch.optim.Adam", "params": "$@network.parameters()", "lr": 0.001, "betas": [0.0, 0.9]
    },
    "d_optimizer": {
        "_target_": "torch.optim.Adam", "params": "$@critic.parameters()", "lr": 0.001, "betas": [0.0, 0.9]
    },
    "loader": {"_target_": "torch.utils.data.DataLoader", "dataset": null, "batch_size": 2},
    "evaluator": {
        "_target_": "monai.engines.SupervisedEvaluator",
        "device": "cpu",
        "val_data_loader": "@loader",
        "network": "@ema",
        "inferer": {"_target_": "monai_sr.engines.AutocastInferer", "dtype": "bfloat16"},
        "key_val_metric": {
            "psnr": {
                "_target_": "monai.handlers.PeakSignalToNoiseRatio",
                "max_val": 1.0,
                "output_transform": "$monai.handlers.from_engine(['pred', 'label'])"
            }
        }
    },
    "trainer": {
        "_target_": "monai_sr.engines.AdversarialTrainer",
        "device": "cpu",
        "max_epochs": 2,
        "train_data_loader": "@loader",
        "generator": "@network",
        "g_optimizer": "@g_optimizer",
        "g_loss": {
            "_target_": "monai_sr.losses.GeneratorLoss",
            "terms": {
                "pixel": [1.0, {"_target_": "torch.nn.MSELoss"}],
                "total_variation": [2e-8, {"_target_": "monai_sr.losses.TotalVariationLoss"}],
                "adversarial": [0.001, {"_target_": "monai_sr.losses.WassersteinLoss"}]
            }
        },
        "discriminator": "@critic",
        "d_optimizer": "@d_optimizer",
        "d_loss": {"_target_": "monai_sr.losses.CriticLoss"},
        "gradient_penalty": {"_target_": "monai_sr.losses.GradientPenalty", "weight": 10},
        "d_steps": 5,
        "adversarial_delay": 1,
        "adversarial_ramp": 2,
        "ema": "@ema",
        "dtype": "bfloat16",
        "max_grad_norm": 1.0,
        "micro_batches": 2,
        "train_handlers": [
            {"_target_": "monai.handlers.ValidationHandler", "validator": "@evaluator", "interval": 1},
            {
                "_target_": "monai_sr.engines.EpochCSVLogger",
                "path": "$@output_dir + '/metrics.csv'",
                "optimizers": {"generator": "@g_optimizer", "critic": "@d_optimizer"},
                "evaluator": "@evaluator"
            },
            {
                "_target_": "monai.handlers.StatsHandler",
                "output_transform": "$monai_sr.engines.loss_terms",
                "name": "train"
            },
            {"_target_": "monai_sr.engines.CollapseAlarm", "window": 100, "wasserstein": true}
        ]
    },
    "checkpoint": {
        "_target_": "monai_sr.engines.TrainingCheckpoint",
        "output_dir": "@output_dir",
        "trainer": "@trainer",
        "evaluator": "@evaluator",
        "network": "@ema",
        "objects": {
            "network": "@network",
            "critic": "@critic",
            "ema": "@ema",
            "g_optimizer": "@g_optimizer",
            "d_optimizer": "@d_optimizer"
        }
    }
}
"""


@pytest.fixture
def parse(tmp_path, pairs):
    def parse(resume, **changes):
        torch.manual_seed(0)
        parser = ConfigParser(json.loads(CONFIG))
        parser["output_dir"] = str(tmp_path)
        parser["loader"]["dataset"] = pairs
        for key, value in changes.items():
            parser[f"trainer::{key}"] = value
        parser.get_parsed_content("imports")
        parser.get_parsed_content("checkpoint").attach(resume=resume)
        return parser.get_parsed_content("trainer")

    return parse


def test_a_wasserstein_training_in_json_runs_and_resumes(parse, tmp_path):
    run_stage(parse(resume=False))
    assert {path.name for path in tmp_path.iterdir()} == {"last.pt", "metrics.csv", "model.pt"}
    trainer = parse(resume=True, max_epochs=3)
    assert trainer.state.epoch == 2
    run_stage(trainer)
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    columns = set(lines[0].split(","))
    assert {
        "epoch",
        "lr_generator",
        "lr_critic",
        "loss",
        "d_loss",
        "g_total_variation",
        "val_psnr",
    } <= columns
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3"]
