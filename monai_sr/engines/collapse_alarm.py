"""A warning when a discriminator stops teaching."""

from __future__ import annotations

import logging
from collections import deque

import torch
from monai.engines import Trainer
from monai.engines.utils import IterationEvents

from monai_sr.errors import MonaiSRError

logger = logging.getLogger(__name__)

CONSTANT_SPREAD = 1e-3
"""Standard deviation of logits below which all images get the same answer."""
NO_GRADIENT = 1e-6
"""Gradient norm below which a discriminator no longer changes."""
CERTAIN_ACCURACY = 0.99
CERTAIN_MARGIN = 6.0
"""Mean logit of real minus of generated images above which hardly a doubt is left: e⁶ is about 400 to 1."""


class CollapseAlarm:
    """Handler that watches the discriminator of an `AdversarialTrainer` over a window of iterations.

    It warns when the discriminator is dead (the same answer to every image, or no gradient) or saturated
    (right about every image, with certainty): either way the generator learns nothing from it. Being right
    half of the time is no alarm; that is where a good generator brings it.

    Args:
        window: iterations over which it must be so, on average, and after which it warns again.
        wasserstein: the discriminator is a critic, whose scores have no threshold: watch for a dead one only.
        stop: end the training too.

    Raises:
        ValueError: if the window is not above zero.
        MonaiSRError: while training, at an alarm with `stop`.
    """

    def __init__(self, window: int = 200, wasserstein: bool = False, stop: bool = False) -> None:
        if window < 1:
            raise ValueError(f"window must be 1 or more, got {window}; 200 is usual.")
        self.wasserstein = wasserstein
        self.stop = stop
        self.history: deque[list[float]] = deque(maxlen=window)

    def attach(self, engine: Trainer) -> None:
        """Watch each iteration of `engine`, before its output is decollated."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Trainer) -> None:
        """Take in one iteration and warn if the window is full of trouble."""
        self.history.append(_measure(engine.state.output))
        if len(self.history) < (self.history.maxlen or 0):
            return
        means = [sum(values) / len(values) for values in zip(*self.history, strict=True)]
        message = self._diagnose(*means)
        if message is None:
            return
        self.history.clear()
        logger.warning(message)
        if self.stop:
            raise MonaiSRError(message)

    def _diagnose(self, accuracy: float, margin: float, spread: float, gradient: float) -> str | None:
        span = f"For {self.history.maxlen} iterations the discriminator has"
        if not self.wasserstein and accuracy >= CERTAIN_ACCURACY and margin >= CERTAIN_MARGIN:
            return (
                f"{span} been certain of every image (accuracy {accuracy:.2f}, margin {margin:.1f}), so the "
                "generator learns little from it: lower d_optimizer's learning rate or d_steps, or raise "
                "label_smoothing."
            )
        if spread < CONSTANT_SPREAD or gradient < NO_GRADIENT:
            return (
                f"{span} been dead (spread of its answers {spread:.1e}, gradient {gradient:.1e}), so the "
                "generator learns nothing from it: go back to a checkpoint from before, and lower "
                "d_optimizer's learning rate or set max_grad_norm."
            )
        return None


def _measure(output: dict[str, torch.Tensor]) -> list[float]:
    """Accuracy, margin, spread and gradient norm of one iteration, read from the device at once."""
    real, fake = output["real_logits"], output["fake_logits"]
    accuracy = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
    spread = torch.cat([real, fake]).std()
    measures: list[float] = torch.stack(
        [accuracy, real.mean() - fake.mean(), spread, output["d_grad_norm"]]
    ).tolist()
    return measures
