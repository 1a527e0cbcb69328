"""Checkpoints that a killed run continues from, its best model and best metric included."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from monai.engines import Evaluator, Trainer
from torch import nn

from monai_sr.engines.ema import DATA_PARALLEL, unwrap
from monai_sr.errors import InputError

logger = logging.getLogger(__name__)


class TrainingCheckpoint:
    """Save a run so that it can be resumed, and its best weights apart.

    `last` holds everything needed to continue; it is replaced atomically, so that a run killed while saving
    keeps the one before. `best` is a plain state dict of `network`, written when the evaluator's key metric
    improves; a resumed run compares with the best of all its parts, so a worse epoch never replaces it.
    (MONAI's own savers and loaders restore neither the evaluator's best metric nor the random states.)

    Attach it in a bundle's `initialize`, since a trainer's own handlers cannot refer to the trainer, and run
    the trainer by `run_stage`. In distributed training every process restores and the first one writes;
    random states continue in a single process only.

    Args:
        output_dir: folder of the files, made if missing.
        trainer: trainer to save; its handlers validate before this one saves.
        evaluator: engine whose key metric judges an epoch; None writes no best weights.
        objects: everything else with a state, by name: networks, optimizers, schedulers, the running average.
        network: network whose weights are released, or its running average.
        last: name of the checkpoint.
        best: name of the best weights.
        interval: epochs between checkpoints; the last epoch is always saved.
        keep_every: also keep the checkpoint of every so many epochs under its own name; 0 keeps none.

    Raises:
        ValueError: if `interval` or `keep_every` is out of range.
    """

    def __init__(
        self,
        output_dir: str | Path,
        trainer: Trainer,
        evaluator: Evaluator | None,
        objects: Mapping[str, Any],
        network: nn.Module,
        last: str = "last.pt",
        best: str = "model.pt",
        interval: int = 1,
        keep_every: int = 0,
    ) -> None:
        if interval < 1:
            raise ValueError(f"interval must be 1 or more, got {interval}.")
        if keep_every < 0:
            raise ValueError(f"keep_every must be 0 or more, got {keep_every}.")
        self.last = Path(output_dir) / last
        self.best = Path(output_dir) / best
        self.trainer = trainer
        self.evaluator = evaluator
        self.objects = dict(objects)
        self.network = network
        self.interval = interval
        self.keep_every = keep_every

    def attach(self, resume: bool = False) -> None:
        """Save from now on, and with `resume` go on from the last checkpoint, if there is one.

        Args:
            resume: whether to restore.

        Raises:
            InputError: if the checkpoint is damaged or of another configuration.
        """
        if resume:
            self.resume()
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, self._epoch_completed)
        if self.evaluator is not None:
            self.evaluator.add_event_handler(Events.EPOCH_COMPLETED, self._evaluated)

    def resume(self) -> bool:
        """Restore everything from the last checkpoint.

        Returns:
            Whether there was one; without one the run simply starts.

        Raises:
            InputError: if the checkpoint is damaged or of another configuration.
        """
        if not self.last.exists():
            logger.info("No checkpoint %s yet; starting from the first epoch.", self.last)
            return False
        try:
            state = torch.load(self.last, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load and a damaged archive raise many unrelated types
            raise InputError(
                f"The checkpoint {self.last} is damaged; delete it to start again, or put an older one there."
            ) from error
        try:
            self._load(state)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"The checkpoint {self.last} is of another configuration; resume with the one that it was "
                "made with, or choose another output_dir."
            ) from error
        logger.info("Resumed %s after epoch %d.", self.last, self.trainer.state.epoch)
        return True

    def _load(self, state: dict[str, Any]) -> None:
        for name, target in self.objects.items():
            _bare(target).load_state_dict(state["objects"][name])
        engine = self.trainer.state
        engine.epoch = state["epoch"]
        # Whole epochs, even when the data set and with it the length of an epoch has changed since.
        engine.iteration = engine.epoch * engine.epoch_length if engine.epoch_length else state["iteration"]
        if self.evaluator is not None:
            self.evaluator.state.best_metric, self.evaluator.state.best_metric_epoch = state["best"]
        # Several processes keep their own seeds: with the first one's state all would draw the same data.
        if not (dist.is_available() and dist.is_initialized()):
            _set_random_state(state["random"])
        # MONAI makes its scaler when the run begins.
        self.trainer.add_event_handler(Events.STARTED, self._load_scaler, state["scaler"])

    def _load_scaler(self, engine: Trainer, state: dict[str, Any] | None) -> None:
        scaler = _scaler(engine)
        if scaler is not None and state:
            scaler.load_state_dict(state)

    def _epoch_completed(self, engine: Engine) -> None:
        epoch = engine.state.epoch
        if epoch % self.interval == 0 or epoch == engine.state.max_epochs:
            self._save(self.last)
        if self.keep_every and epoch % self.keep_every == 0:
            self._save(self.last.with_stem(f"{self.last.stem}_epoch{epoch:04d}"))

    def _save(self, path: Path) -> None:
        if self.trainer.state.rank != 0:
            return
        best = (-1.0, -1)
        if self.evaluator is not None:
            best = float(self.evaluator.state.best_metric), self.evaluator.state.best_metric_epoch
        scaler = _scaler(self.trainer)
        state = {
            "objects": {name: _bare(target).state_dict() for name, target in self.objects.items()},
            "epoch": self.trainer.state.epoch,
            "iteration": self.trainer.state.iteration,
            "best": best,
            "random": _random_state(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }
        _write(state, path)

    def _evaluated(self, engine: Evaluator) -> None:
        state = engine.state
        improved = state.metrics[state.key_metric_name] == state.best_metric
        if improved and state.best_metric_epoch == state.epoch and state.rank == 0:
            _write(unwrap(self.network).state_dict(), self.best)


def run_stage(trainer: Trainer) -> None:
    """Run a trainer, unless its checkpoint has it finished already.

    Ignite's engine would start a finished run from its first epoch again.

    Args:
        trainer: trainer, restored or not.

    Raises:
        SystemExit: with code 130, if the user interrupts it.
    """
    if trainer.state.epoch >= trainer.state.max_epochs:
        logger.info("Training has all its %d epochs; nothing is left to run.", trainer.state.max_epochs)
        return
    try:
        trainer.run()
    except KeyboardInterrupt:
        logger.warning(
            "Interrupted in epoch %d; --resume True goes on from the last whole epoch.", trainer.state.epoch
        )
        raise SystemExit(130) from None


def _bare(target: Any) -> Any:
    """The object whose state is saved: a network out of its data-parallel wrapper."""
    return target.module if isinstance(target, DATA_PARALLEL) else target


def _scaler(trainer: Trainer) -> Any:
    return getattr(trainer, "grad_scaler", None) or trainer.scaler


def _write(state: Any, path: Path) -> None:
    """Replace `path` at once, so that no reader ever meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    torch.save(state, partial)
    os.replace(partial, path)


def _random_state() -> dict[str, Any]:
    numpy_state: Any = np.random.get_state()
    name, keys, *rest = numpy_state
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
        # numpy's array as a tensor, so that the file loads with `weights_only=True`.
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "python": random.getstate(),
    }


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    random.setstate(state["python"])
