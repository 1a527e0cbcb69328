"""What computes a network: PyTorch, OpenVINO, ONNX Runtime or TensorRT, behind one protocol."""

from monai_sr.runtimes.choice import PRECISIONS, RUNTIMES, make_runtime
from monai_sr.runtimes.protocol import Runtime

__all__ = ["PRECISIONS", "RUNTIMES", "Runtime", "make_runtime"]
