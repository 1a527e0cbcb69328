"""What computes a network: PyTorch, OpenVINO or ONNX Runtime, behind one protocol."""

from monai_sr.runtimes.choice import PRECISIONS, RUNTIMES, choose_device, is_fast, make_runtime
from monai_sr.runtimes.protocol import Runtime

__all__ = ["PRECISIONS", "RUNTIMES", "Runtime", "choose_device", "is_fast", "make_runtime"]
