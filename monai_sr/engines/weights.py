"""Weights that a training starts from."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from torch import nn

from monai_sr.engines.ema import unwrap
from monai_sr.errors import InputError
from monai_sr.weights import read_weights

logger = logging.getLogger(__name__)


def load_trunk(network: nn.Module, path: str | Path) -> None:
    """Load what generators of different scales share, as EDSR trains x4 from x2: all before up-sampling.

    Args:
        network: generator with a `head` and a `body`.
        path: state dict of the same generator at another scale.

    Raises:
        InputError: if the file is missing or unreadable, or its trunk is of another size.
    """
    state = read_weights(path).state
    own = network.state_dict()
    trunk = {key: value for key, value in own.items() if key.startswith(("head.", "body."))}
    if any(key not in state or state[key].shape != value.shape for key, value in trunk.items()):
        raise InputError(
            f"The weights {path} have not the trunk of {type(network).__name__} as configured; use "
            "weights of the same network and sizes at another scale."
        )
    network.load_state_dict(own | {key: state[key] for key in trunk})


def prepare_network(
    network: nn.Module,
    device: torch.device | str,
    weights: str | Path | None = None,
    trunk: str | Path | None = None,
) -> nn.Module:
    """Ready a network for training: initial weights, device, and the memory layout that convolves fastest.

    Args:
        network: as a bundle's `network_def` builds it.
        device: where to train.
        weights: file of initial weights; None keeps the random ones.
        trunk: file of weights at another scale, of which the part before up-sampling is taken.

    Returns:
        The same network.

    Raises:
        InputError: if the weights cannot be loaded.
    """
    if weights is not None:
        read_weights(weights).load_into(network)
    if trunk is not None:
        load_trunk(network, trunk)
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class WarmStart:
    """Handler that loads weights when a training begins, and not when it is resumed.

    It lets the adversarial stage of a run begin with the best weights of the supervised stage, a file that
    does not exist yet when the configuration is read.

    Args:
        network: network to load into.
        path: file of weights.
    """

    def __init__(self, network: nn.Module, path: str | Path) -> None:
        self.network = network
        self.path = path

    def attach(self, engine: Engine) -> None:
        """Load when `engine` starts at its first iteration; raises InputError if the file is of no use."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Load, unless `engine` goes on from a checkpoint."""
        if engine.state.iteration == 0:
            if dist.is_available() and dist.is_initialized():
                dist.barrier()  # the first process may still be writing the file
            read_weights(self.path).load_into(unwrap(self.network))
            logger.info("Starting from the weights %s.", self.path)
