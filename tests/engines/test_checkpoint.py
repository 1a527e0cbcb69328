from __future__ import annotations

import contextlib
import random

import numpy as np
import pytest
import torch
from ignite.engine import Events
from ignite.metrics import Metric
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import ValidationHandler
from torch import nn
from torch.utils.data import DataLoader

from monai_sr.engines import GeneratorEMA, TrainingCheckpoint, run_stage
from monai_sr.errors import InputError
from monai_sr.networks import EDSR


class KilledError(Exception):
    """Stands for the end of the process."""


class Scripted(Metric):
    """The score that the test gives each epoch, so that it decides which one is best."""

    def __init__(self, scores):
        super().__init__()
        self.scores = scores

    def reset(self):
        pass

    def update(self, output):
        pass

    def compute(self):
        pass

    def completed(self, engine, name):
        engine.state.metrics[name] = self.scores[engine.state.epoch - 1]


class Run:
    """One process's view of a training: objects of its own, a folder that outlives it."""

    def __init__(
        self, folder, pairs, scores=(1, 2, 3, 4), max_epochs=4, seed=0, channels=4, resume=False, **options
    ):
        torch.manual_seed(seed)
        self.network = EDSR(2, channels=channels, num_blocks=1)
        self.optimizer = torch.optim.Adam(self.network.parameters(), 1e-3)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 1, 0.5)
        self.ema = GeneratorEMA(self.network, 0.5)
        loader = DataLoader(pairs, batch_size=2, shuffle=True)
        self.evaluator = SupervisedEvaluator(
            "cpu", loader, self.network, key_val_metric={"score": Scripted(scores)}
        )
        self.trainer = SupervisedTrainer(
            device="cpu",
            max_epochs=max_epochs,
            train_data_loader=loader,
            network=self.network,
            optimizer=self.optimizer,
            loss_function=nn.MSELoss(),
            train_handlers=[ValidationHandler(1, self.evaluator)],
        )
        on = self.trainer.add_event_handler
        on(Events.ITERATION_COMPLETED, lambda: self.ema.update_parameters(self.network))
        on(Events.EPOCH_COMPLETED, lambda: self.scheduler.step())
        self.epochs = []
        on(Events.EPOCH_COMPLETED, lambda: self.epochs.append(self.trainer.state.epoch))
        objects = {name: getattr(self, name) for name in ("network", "optimizer", "scheduler", "ema")}
        self.checkpoint = TrainingCheckpoint(
            folder, self.trainer, self.evaluator, objects, network=self.ema, **options
        )
        self.checkpoint.attach(resume=resume)

    def train(self, kill_in_epoch=None):
        def kill():
            raise KilledError

        if kill_in_epoch is not None:
            self.trainer.add_event_handler(Events.EPOCH_STARTED(once=kill_in_epoch), kill)
        with contextlib.suppress(KilledError):
            run_stage(self.trainer)
        return self

    def state(self):
        return [*self.network.state_dict().values(), *self.ema.state_dict().values()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_killed_run_continues_as_if_it_had_not_been(tmp_path, pairs):
    whole = Run(tmp_path / "whole", pairs).train()
    Run(tmp_path / "killed", pairs).train(kill_in_epoch=3)
    torch.manual_seed(99)
    resumed = Run(tmp_path / "killed", pairs, seed=5, resume=True).train()
    assert resumed.epochs == [3, 4]
    assert resumed.trainer.state.iteration == whole.trainer.state.iteration == 8
    assert same(resumed.state(), whole.state())
    assert resumed.optimizer.param_groups[0]["lr"] == whole.optimizer.param_groups[0]["lr"]
    for name in ("whole", "killed"):
        assert (tmp_path / name / "model.pt").exists()
    best = [
        torch.load(tmp_path / name / "model.pt", weights_only=True).values() for name in ("whole", "killed")
    ]
    assert same(*best)


def test_a_worse_epoch_after_resuming_never_overwrites_the_best_model(tmp_path, pairs):
    scores = (5.0, 9.0, 1.0, 7.0)
    Run(tmp_path, pairs, scores).train(kill_in_epoch=3)
    best = (tmp_path / "model.pt").read_bytes()
    resumed = Run(tmp_path, pairs, scores, resume=True)
    assert (resumed.evaluator.state.best_metric, resumed.evaluator.state.best_metric_epoch) == (9.0, 2)
    resumed.train()
    assert resumed.epochs == [3, 4]
    assert (tmp_path / "model.pt").read_bytes() == best
    assert (resumed.evaluator.state.best_metric, resumed.evaluator.state.best_metric_epoch) == (9.0, 2)


def test_a_better_epoch_after_resuming_does(tmp_path, pairs):
    scores = (5.0, 9.0, 1.0, 10.0)
    Run(tmp_path, pairs, scores).train(kill_in_epoch=3)
    resumed = Run(tmp_path, pairs, scores, resume=True).train()
    assert same(torch.load(tmp_path / "model.pt").values(), resumed.ema.module.state_dict().values())


def test_best_weights_are_a_plain_state_dict_of_the_average(tmp_path, pairs):
    run = Run(tmp_path, pairs, max_epochs=1).train()
    weights = torch.load(tmp_path / "model.pt", weights_only=True)
    EDSR(2, channels=4, num_blocks=1).load_state_dict(weights)
    assert same(weights.values(), run.ema.module.state_dict().values())
    assert not same(weights.values(), run.network.state_dict().values())


def test_random_states_continue(tmp_path, pairs):
    Run(tmp_path, pairs, max_epochs=1).train()
    expected = [torch.rand(1).item(), np.random.rand(), random.random()]
    Run(tmp_path, pairs, seed=7, resume=True)
    assert [torch.rand(1).item(), np.random.rand(), random.random()] == expected


def test_a_finished_run_is_not_run_again_and_a_longer_one_goes_on(tmp_path, pairs):
    Run(tmp_path, pairs, max_epochs=2).train()
    assert Run(tmp_path, pairs, max_epochs=2, resume=True).train().epochs == []
    assert Run(tmp_path, pairs, max_epochs=4, resume=True).train().epochs == [3, 4]


def test_without_a_checkpoint_the_run_starts(tmp_path, pairs, caplog):
    with caplog.at_level("INFO"):
        run = Run(tmp_path, pairs, max_epochs=1, resume=True)
    assert "No checkpoint" in caplog.text
    assert run.train().epochs == [1]


def test_without_resume_a_checkpoint_is_ignored(tmp_path, pairs):
    Run(tmp_path, pairs, max_epochs=2).train()
    assert Run(tmp_path, pairs, max_epochs=2).train().epochs == [1, 2]


def test_epochs_stay_whole_when_the_data_set_has_grown(tmp_path, pairs):
    Run(tmp_path, pairs).train(kill_in_epoch=3)
    resumed = Run(tmp_path, [*pairs, *pairs[:2]], resume=True).train()
    assert resumed.epochs == [3, 4]
    assert resumed.trainer.state.iteration == 12


def test_files_and_intervals(tmp_path, pairs):
    Run(
        tmp_path, pairs, (1, 2, 3, 4, 5), 5, last="pixel_last.pt", best="pixel.pt", interval=2, keep_every=3
    ).train()
    assert {path.name for path in tmp_path.iterdir()} == {
        "pixel_last.pt",
        "pixel.pt",
        "pixel_last_epoch0003.pt",
    }
    assert torch.load(tmp_path / "pixel_last.pt")["epoch"] == 5


def test_a_save_that_dies_leaves_the_checkpoint_before(tmp_path, pairs, monkeypatch):
    run = Run(tmp_path, pairs, max_epochs=1).train()
    before = (tmp_path / "last.pt").read_bytes()

    def die(state, path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", die)
    with pytest.raises(OSError, match="No space"):
        run.checkpoint._save(run.checkpoint.last)
    assert (tmp_path / "last.pt").read_bytes() == before


def test_a_damaged_or_foreign_checkpoint_is_an_error(tmp_path, pairs):
    Run(tmp_path, pairs, max_epochs=1).train()
    with pytest.raises(InputError, match="another configuration"):
        Run(tmp_path, pairs, channels=8, resume=True)
    whole = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"last\.pt is damaged"):
        Run(tmp_path, pairs, resume=True)


def test_only_the_first_process_writes(tmp_path, pairs):
    run = Run(tmp_path, pairs, max_epochs=1)
    run.trainer.state.rank = run.evaluator.state.rank = 1
    run.train()
    assert not list(tmp_path.iterdir())


def test_the_scaler_of_half_precision_continues(tmp_path, make_trainer):
    def checkpoint(trainer):
        return TrainingCheckpoint(
            tmp_path, trainer, None, {"generator": trainer.generator}, trainer.generator
        )

    first = make_trainer(dtype="float16")
    checkpoint(first).attach()
    first.grad_scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    first.run()
    second = make_trainer(dtype="float16", max_epochs=2)
    checkpoint(second).attach(resume=True)
    scales = []
    second.add_event_handler(Events.ITERATION_STARTED, lambda: scales.append(second.grad_scaler.get_scale()))
    run_stage(second)
    assert scales[0] == 1024.0
    assert not (tmp_path / "model.pt").exists()


@pytest.mark.parametrize("argument", ["interval", "keep_every"])
def test_numbers_out_of_range_are_named(tmp_path, pairs, argument):
    with pytest.raises(ValueError, match=argument):
        Run(tmp_path, pairs, **{argument: -1})


def test_an_interrupted_run_says_how_to_go_on(tmp_path, pairs, caplog):
    run = Run(tmp_path, pairs)

    def interrupt(engine):
        raise KeyboardInterrupt

    run.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=1), interrupt)
    with pytest.raises(SystemExit) as stopped:
        run_stage(run.trainer)
    assert stopped.value.code == 130
    assert "--resume True" in caplog.text
