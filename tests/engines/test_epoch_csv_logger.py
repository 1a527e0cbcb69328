from __future__ import annotations

import csv

import pytest
import torch
from ignite.engine import Events
from ignite.metrics import MeanSquaredError
from monai.engines import SupervisedEvaluator
from monai.handlers import LrScheduleHandler, ValidationHandler, from_engine
from torch.utils.data import DataLoader

from monai_sr.engines import EpochCSVLogger, loss_terms
from monai_sr.networks import EDSR


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def make_logged(make_trainer, pairs, tmp_path):
    def make(val_interval=1, **changes):
        generator = EDSR(2, channels=4, num_blocks=1)
        optimizer = torch.optim.SGD(generator.parameters(), 0.01)
        evaluator = SupervisedEvaluator(
            "cpu",
            DataLoader(pairs, batch_size=4),
            generator,
            key_val_metric={"error": MeanSquaredError(from_engine(["pred", "label"]))},
            decollate=False,
        )
        handlers = [
            ValidationHandler(val_interval, evaluator),
            LrScheduleHandler(torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1), print_lr=False),
            EpochCSVLogger(tmp_path / "runs" / "log.csv", {"g": optimizer}, evaluator),
        ]
        return make_trainer(generator=generator, g_optimizer=optimizer, train_handlers=handlers, **changes)

    return make


def test_a_row_holds_rates_mean_losses_and_metrics(make_logged, tmp_path):
    trainer = make_logged(max_epochs=2)
    losses = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: losses.append(loss_terms(e.state.output)))
    trainer.run()
    first, second = read(tmp_path / "runs" / "log.csv")
    assert (first["epoch"], second["epoch"]) == ("1", "2")
    assert float(first["lr_g"]) == pytest.approx(0.01)
    assert float(second["lr_g"]) == pytest.approx(0.001)
    for name in ("loss", "d_loss", "g_pixel", "g_adversarial"):
        assert float(first[name]) == pytest.approx((losses[0][name] + losses[1][name]) / 2)
    assert float(second["val_error"]) > 0


def test_epochs_without_validation_stay_empty(make_logged, tmp_path):
    make_logged(max_epochs=3, val_interval=2).run()
    assert [bool(row["val_error"]) for row in read(tmp_path / "runs" / "log.csv")] == [False, True, False]


def test_a_resumed_run_has_each_epoch_once(make_logged, tmp_path):
    make_logged(max_epochs=3).run()
    before = read(tmp_path / "runs" / "log.csv")
    resumed = make_logged(max_epochs=4)
    resumed.state.epoch, resumed.state.iteration = 2, 4
    resumed.run()
    rows = read(tmp_path / "runs" / "log.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[:2] == before[:2]


def test_a_run_from_the_start_replaces_the_file(make_logged, tmp_path):
    make_logged(max_epochs=3).run()
    make_logged(max_epochs=1).run()
    assert [row["epoch"] for row in read(tmp_path / "runs" / "log.csv")] == ["1"]


def test_loss_terms_are_the_numbers():
    output = {
        "pred": torch.zeros(1, 2, 2),
        "loss": torch.tensor(0.5),
        "g_pixel": 0.25,
        "real_logits": torch.zeros(1),
    }
    assert loss_terms(output) == loss_terms([output, {}]) == {"loss": 0.5, "g_pixel": 0.25}
