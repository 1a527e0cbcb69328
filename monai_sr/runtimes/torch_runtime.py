"""PyTorch, on the CPU or on a GPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_sr.runtimes.low_precision import TwoParts, split_image


class TorchRuntime:
    """Eager PyTorch in channels-last order, with autocast below float32.

    Args:
        network: a generator, on a CPU best a rearranged one; in float32 it is itself moved and put into
            evaluation mode, below it a copy.
        device: where to compute.
        precision: of the matrix products.
    """

    name = "torch"

    def __init__(self, network: nn.Module, device: torch.device, precision: str) -> None:
        self.precision = precision
        self._device = device
        self._dtype: torch.dtype = getattr(torch, precision)
        split = None if precision == "float32" else split_image(network)
        self._network = (TwoParts(*split, self._dtype) if split else network).eval().to(device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs

    @torch.inference_mode()
    def __call__(self, image: Tensor) -> Tensor:
        """See `Runtime`."""
        image = image.to(self._device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            pred: Tensor = self._network(image)
        return pred.float().cpu().contiguous()
