"""Mixed precision on any device, as an inferer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer, SimpleInferer
from torch import Tensor

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Context in which the networks on `device` compute in `dtype`; float32 turns mixed precision off."""
    enabled = dtype != torch.float32
    return torch.autocast(device.type, dtype=dtype if enabled else None, enabled=enabled)


def parse_dtype(name: str) -> torch.dtype:
    """The dtype of a name that JSON can hold.

    Raises:
        ValueError: if the name is not "float32", "bfloat16" or "float16".
    """
    if name not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {name!r}.")
    return DTYPES[name]


class AutocastInferer(Inferer):
    """Run a network in mixed precision and return float32; MONAI's own `amp` works on CUDA only.

    Train in bfloat16 with it. For training in float16 a trainer has to scale the gradients too: use MONAI's
    `amp`, or `AdversarialTrainer(dtype="float16")`.

    Args:
        dtype: "bfloat16", "float16", or "float32" for full precision.
        inferer: inferer that calls the network, such as a sliding window; None calls it directly.

    Raises:
        ValueError: if `dtype` is unknown.

    Example:
        >>> network = torch.nn.Conv2d(1, 1, 3)
        >>> AutocastInferer("bfloat16")(torch.zeros(1, 1, 8, 8), network).dtype
        torch.float32
    """

    def __init__(self, dtype: str = "bfloat16", inferer: Inferer | None = None) -> None:
        super().__init__()
        self.dtype = parse_dtype(dtype)
        self.inferer = SimpleInferer() if inferer is None else inferer

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Output of `network` for `inputs`, shape (N, C, H, W), in float32."""
        with autocast(inputs.device, self.dtype):
            output: Tensor = self.inferer(inputs, network, *args, **kwargs)
        return output.float()
