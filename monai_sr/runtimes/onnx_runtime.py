"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from monai_sr.runtimes.cache import cached, network_key
from monai_sr.runtimes.conversion import require_same, to_onnx

MODEL = "network.onnx"


class ONNXRuntime:
    """ONNX Runtime, in float32.

    Args:
        network: a generator.

    Raises:
        ModuleNotFoundError: if ONNX Runtime or the exporter is not installed.
    """

    name = "onnxruntime"
    precision = "float32"

    def __init__(self, network: fx.GraphModule) -> None:
        import onnxruntime

        key = network_key(network, "onnx", onnxruntime.__version__, torch.__version__)
        folder = cached(key, lambda folder: self._convert(network, folder))
        self._session = self._load(folder)

    def __call__(self, image: Tensor) -> Tensor:
        """See `Runtime`."""
        return torch.from_numpy(self._session.run(None, {"image": image.contiguous().numpy()})[0])

    def _convert(self, network: nn.Module, folder: Path) -> None:
        to_onnx(network, folder / MODEL)
        self._session = self._load(folder)
        require_same(network, self)

    @staticmethod
    def _load(folder: Path) -> Any:
        import onnxruntime

        return onnxruntime.InferenceSession(str(folder / MODEL), providers=["CPUExecutionProvider"])
