"""Exponential moving average of a generator's weights."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Tensors = tuple[Tensor, ...] | list[Tensor]
DATA_PARALLEL = (DataParallel, DistributedDataParallel)


def unwrap(network: nn.Module) -> nn.Module:
    """The network itself, out of a data-parallel or averaging wrapper, so that its keys are its own."""
    while isinstance(network, (*DATA_PARALLEL, AveragedModel)):
        network = network.module
    return network


class GeneratorEMA(AveragedModel):
    """Averaged copy of a generator, to validate and to release: training swings, its mean does not.

    The first update copies the weights, so the copy may be built before a warm start is loaded. Update n
    after it keeps (1 + n) / (10 + n) of the average, at most `decay`, so that a short run's mean follows too.
    Batch norm's running statistics are averaged alike: those of the newest weights do not fit older ones.

    Args:
        network: generator that is trained, data-parallel or not.
        decay: greatest share of the average kept at an update, in [0, 1); 0.999 averages about 1000 updates.

    Raises:
        ValueError: if the decay is outside its range.

    Example:
        >>> generator = nn.Linear(1, 1)
        >>> ema = GeneratorEMA(generator, decay=0.9)
        >>> ema.update_parameters(generator)
        >>> bool(ema.module.weight == generator.weight)
        True
    """

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be in [0, 1), got {decay}; 0.999 is usual.")

        def average(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
            share = min(decay, (1 + int(count)) / (10 + int(count)))
            get_ema_multi_avg_fn(share)(averaged, current, count)

        super().__init__(unwrap(network), multi_avg_fn=average, use_buffers=True)
        self.requires_grad_(False)

    def update_parameters(self, model: nn.Module) -> None:
        """Move the average towards the weights of `model`, data-parallel or not."""
        super().update_parameters(unwrap(model))
