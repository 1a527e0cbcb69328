"""Weights of a network: read from files, mixed, and loaded."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from monai_sr.errors import InputError


@dataclass(frozen=True, eq=False)
class Weights:
    """Tensors by name, and what identifies them.

    Args:
        state: state dict of a network, on the CPU.
        sha256: hexadecimal SHA-256 of the file, or of the recipe of a mixture.
        name: the file, or the files, for messages.
        description: a sentence on how they were mixed; empty for a file as it is.
    """

    state: dict[str, Tensor]
    sha256: str
    name: str
    description: str = ""

    def load_into(self, network: nn.Module) -> None:
        """Load into a network, whose precision is kept.

        Args:
            network: of the architecture and scale that the weights were trained with.

        Raises:
            InputError: if it is another.
        """
        try:
            network.load_state_dict(self.state)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self.name} holds weights of another network or scale factor than "
                f"{type(network).__name__} as configured: choose the bundle and the scale that they were "
                "trained with."
            ) from error


def read_weights(path: str | Path) -> Weights:
    """Read a file of weights; tensors alone are accepted, so that no code in it can run.

    Args:
        path: state dict saved by `torch.save`, such as a bundle's `models/model.pt`.

    Returns:
        The weights.

    Raises:
        InputError: if the file is missing or is no state dict.
    """
    try:
        content = Path(path).read_bytes()
        state: Any = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"The weights file {path} does not exist: check the path.") from error
    except Exception as error:  # torch.load raises whatever a broken or foreign file leads to
        raise InputError(f"{path} is not a weights file: give a state dict saved by torch.save.") from error
    if isinstance(state, dict) and set(state) == {"model"}:
        state = state["model"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} is not a weights file: it must hold tensors by name.")
    return Weights(state, hashlib.sha256(content).hexdigest(), str(path))


def blend(parts: Sequence[Weights], shares: Sequence[float]) -> Weights:
    """Mix the weights of one network, trained in several ways, tensor by tensor.

    Between a pixel-loss generator and the adversarial one that started from it, the mixture goes smoothly
    from the faithful to the crisp; of several checkpoints of one run it is their average.

    Args:
        parts: two or more, of the same network and scale factor.
        shares: of each part, from 0 to 1, with sum 1.

    Returns:
        The mixture in float32; counters are those of the first part.

    Raises:
        ValueError: if the shares do not fit.
        InputError: if the parts are of different networks or scale factors.

    Reference:
        Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCVW 2018,
        https://arxiv.org/abs/1809.00219

    Example:
        >>> parts = [Weights({"w": torch.full((1,), value)}, "", "") for value in (0.0, 1.0)]
        >>> blend(parts, [0.75, 0.25]).state
        {'w': tensor([0.2500])}
    """
    if len(parts) < 2 or len(parts) != len(shares):
        raise ValueError(f"shares must be one for each of two or more parts, got {len(shares)}.")
    if not math.isclose(sum(shares), 1) or not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"shares must be from 0 to 1 with sum 1, got {list(shares)}.")
    first, *others = parts
    for other in others:
        _require_same_network(first, other)
    mixed = {
        key: torch.stack(
            [share * part.state[key].float() for part, share in zip(parts, shares, strict=True)]
        ).sum(0)
        if value.is_floating_point()
        else value
        for key, value in first.state.items()
    }
    recipe = [f"{share:g} of {part.sha256}" for part, share in zip(parts, shares, strict=True)]
    return Weights(
        state=mixed,
        sha256=hashlib.sha256("\n".join(recipe).encode()).hexdigest(),
        name=" and ".join(part.name for part in parts),
        description=f"Weights mixed from {', '.join(recipe)}",
    )


def _require_same_network(first: Weights, other: Weights) -> None:
    for key in sorted(set(first.state) | set(other.state)):
        shapes = [tuple(part.state[key].shape) if key in part.state else None for part in (first, other)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"{first.name} and {other.name} are of different networks or scale factors (they differ in "
                f"{key}): blend weights of one network at one scale."
            )
