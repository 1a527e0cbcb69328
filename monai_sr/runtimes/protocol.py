"""What every runtime can do."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Runtime(Protocol):
    """A network, ready to compute.

    Attributes:
        name: of the runtime, a key of `RUNTIMES`.
        precision: of its matrix products, one of `PRECISIONS`.
    """

    name: str
    precision: str

    def __call__(self, image: Tensor) -> Tensor:
        """Map images (N, 1, H, W) of float32 on the CPU to (N, 1, H·s, W·s), float32 on the CPU."""
        ...
