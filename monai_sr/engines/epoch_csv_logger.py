"""One row of numbers for each epoch."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Events
from monai.engines import Evaluator, Trainer
from monai.utils import is_scalar
from torch.optim import Optimizer


def loss_terms(output: Any) -> dict[str, float]:
    """The numbers in an engine's output: the loss, its terms, gradient norms.

    For `output_transform` of MONAI's StatsHandler and TensorBoardStatsHandler.

    Args:
        output: `engine.state.output`, decollated or not.

    Returns:
        Number by name; images and per-image values are left out.

    Example:
        >>> loss_terms([{"pred": [0.0, 1.0], "loss": 0.5}])
        {'loss': 0.5}
    """
    first = output[0] if isinstance(output, list) else output
    return {str(key): float(value) for key, value in first.items() if is_scalar(value)}


class EpochCSVLogger:
    """Handler that writes learning rates, mean losses and validation metrics, an epoch a row.

    A resumed run keeps the rows of the epochs that it goes on from and drops later ones, so no epoch stands
    twice. Put it behind the ValidationHandler, so that a row holds its own epoch's metrics; they stay empty
    in epochs without validation.

    Args:
        path: CSV file; its folder is made if missing.
        optimizers: whose learning rates to write, by name.
        evaluator: whose metrics to write.
    """

    def __init__(
        self, path: str | Path, optimizers: Mapping[str, Optimizer], evaluator: Evaluator | None = None
    ) -> None:
        self.path = Path(path)
        self.optimizers = dict(optimizers)
        self.evaluator = evaluator
        self._rows: list[dict[str, Any]] = []
        self._rates: dict[str, float] = {}
        self._sums: dict[str, float] = {}
        self._count = 0

    def attach(self, engine: Trainer) -> None:
        """Write a row at the end of each epoch of `engine`; only the first of several processes does."""
        if engine.state.rank == 0:
            engine.add_event_handler(Events.STARTED, self._started)
            engine.add_event_handler(Events.EPOCH_STARTED, self._epoch_started)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._iteration_completed)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._epoch_completed)

    def _started(self, engine: Trainer) -> None:
        self._rows = []
        if self.path.exists():
            with self.path.open(newline="") as file:
                self._rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= engine.state.epoch]

    def _epoch_started(self, engine: Trainer) -> None:
        # Read now: a scheduler may change them before the epoch's row is written.
        self._rates = {f"lr_{name}": value.param_groups[0]["lr"] for name, value in self.optimizers.items()}
        self._sums, self._count = {}, 0

    def _iteration_completed(self, engine: Trainer) -> None:
        self._count += 1
        for name, value in loss_terms(engine.state.output).items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def _epoch_completed(self, engine: Trainer) -> None:
        row: dict[str, Any] = {"epoch": engine.state.epoch, **self._rates}
        row |= {name: total / self._count for name, total in self._sums.items()}
        if self.evaluator is not None and self.evaluator.state.epoch == engine.state.epoch:
            metrics = self.evaluator.state.metrics
            row |= {f"val_{name}": float(value) for name, value in metrics.items() if is_scalar(value)}
        self._rows.append(row)
        self._write()

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self._rows)
        os.replace(partial, self.path)
