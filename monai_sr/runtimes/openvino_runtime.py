"""OpenVINO on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from monai_sr.runtimes.cache import cached, network_key
from monai_sr.runtimes.conversion import require_same, to_openvino
from monai_sr.runtimes.low_precision import TwoParts, split_image

HINTS = {"float32": "f32", "bfloat16": "bf16"}
MODEL = "network.xml"
KEPT_SHAPES = 8
"""Compiled networks held in memory, one for each shape: an archive's series differ in size."""


class OpenVINORuntime:
    """OpenVINO, compiled for each shape of images that comes.

    Args:
        network: a generator, rewritten as OpenVINO likes it.
        precision: of the matrix products, a key of `HINTS`.

    Raises:
        ModuleNotFoundError: if OpenVINO is not installed.
    """

    name = "openvino"

    def __init__(self, network: fx.GraphModule, precision: str) -> None:
        import openvino

        self.precision = precision
        self._core = openvino.Core()
        self._channels = 1
        self._run: Callable[[Tensor], Tensor] = self._infer
        split = None if precision == "float32" else split_image(network)
        if split:
            # In float32 here, as OpenVINO would round what goes around the network, too.
            network, skip = split
            self._channels = 2
            self._run = TwoParts(self._infer, skip, getattr(torch, precision))
        self._compiled = lru_cache(KEPT_SHAPES)(self._compile)
        key = network_key(network, "openvino", openvino.__version__, torch.__version__)
        self._folder = cached(key, lambda folder: self._convert(network, folder))

    @torch.inference_mode()
    def __call__(self, image: Tensor) -> Tensor:
        """See `Runtime`."""
        return self._run(image)

    def _infer(self, image: Tensor) -> Tensor:
        request = self._compiled(tuple(image.shape))
        request.infer([image.contiguous().numpy()], share_inputs=True)
        return torch.from_numpy(request.get_output_tensor().data.copy())

    def _convert(self, network: nn.Module, folder: Path) -> None:
        to_openvino(network, folder / MODEL, self._channels)
        exact = self._core.compile_model(folder / MODEL, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        require_same(
            network, lambda image: torch.from_numpy(exact([image.numpy()])[0].copy()), self._channels
        )

    def _compile(self, shape: tuple[int, ...]) -> Any:
        model = self._core.read_model(self._folder / MODEL)
        model.reshape(list(shape))
        hints = {
            "INFERENCE_PRECISION_HINT": HINTS[self.precision],
            "PERFORMANCE_HINT": "LATENCY",
            # As many as PyTorch takes: a worker of several on one machine has its share of the cores.
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            # Two processes would pin themselves to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        return self._core.compile_model(model, "CPU", hints).create_infer_request()
