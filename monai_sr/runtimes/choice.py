"""Which runtime and precision compute a network here."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Collection
from contextlib import suppress

import torch
from torch import nn
from torch.fx.proxy import TraceError

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.runtimes.layout import rearranged
from monai_sr.runtimes.onnx_runtime import ONNXRuntime
from monai_sr.runtimes.openvino_runtime import OpenVINORuntime
from monai_sr.runtimes.protocol import Runtime
from monai_sr.runtimes.torch_runtime import TorchRuntime

_logger = logging.getLogger(__name__)

RUNTIMES: dict[str, dict[str, tuple[str, ...]]] = {
    "torch": {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "float16", "bfloat16")},
    "openvino": {"cpu": ("float32", "bfloat16")},
    "onnxruntime": {"cpu": ("float32",)},
}
"""Runtime -> kind of device -> the precisions that it computes in there."""

EXTRAS = {"openvino": "openvino", "onnxruntime": "onnx"}
"""Runtime -> what to install for it."""

PRECISIONS = ("float32", "bfloat16", "float16")


def make_runtime(
    network: nn.Module,
    device: torch.device,
    runtime: str = "auto",
    precision: str = "float32",
    measured: Collection[str] = (),
    force_precision: bool = False,
) -> Runtime:
    """Make a network ready to compute.

    Args:
        network: a generator. PyTorch takes it as it is and moves it to the device; the others take a copy.
        device: where to compute.
        runtime: a key of `RUNTIMES`, or `auto`: OpenVINO on a CPU where it is installed, else PyTorch.
        precision: one of `PRECISIONS`, or `auto`: the first of `measured` that the device computes fast,
            else float32.
        measured: precisions that were measured to keep the network's quality.
        force_precision: take a precision that was not measured to.

    Returns:
        The runtime.

    Raises:
        InputError: if a name is unknown, the runtime is not installed or does not suit the device or the
            network, or the precision was not measured to hold.
    """
    if runtime not in ("auto", *RUNTIMES):
        raise InputError(f"There is no runtime {runtime}: use auto, {', '.join(RUNTIMES)}.")
    if precision not in ("auto", *PRECISIONS):
        raise InputError(f"There is no precision {precision}: use auto, {', '.join(PRECISIONS)}.")
    name = _preferred(device) if runtime == "auto" else runtime
    computed = RUNTIMES[name].get(device.type)
    if computed is None:
        raise InputError(f"{name} does not compute on {device.type}: use --runtime torch or another device.")
    if precision == "auto":
        fast = [choice for choice in measured if choice in computed and is_fast(choice, device)]
        precision = fast[0] if fast else "float32"
    if precision not in computed:
        raise InputError(f"{name} does not compute {precision} on {device.type}: use {', '.join(computed)}.")
    if precision not in ("float32", *measured) and not force_precision:
        raise InputError(
            f"It was not measured that {precision} holds for these weights: use float32, or add "
            "--force-precision."
        )
    if name == "openvino" and not is_fast(precision, device):
        # It would compute in float32 and not say so.
        raise InputError(f"This processor has no {precision} for openvino: use float32, or --runtime torch.")
    try:
        made = _make(network, device, name, precision)
    except ModuleNotFoundError as error:
        raise InputError(
            f"--runtime {name} needs {error.name}: pip install 'monai-sr[{EXTRAS[name]}]'."
        ) from error
    except (TraceError, MonaiSRError) as error:
        if runtime != "auto":
            raise InputError(f"{error} --runtime {name} cannot compute it: use --runtime torch.") from error
        _logger.warning("%s PyTorch computes it, more slowly", error)
        made = _make(network, device, "torch", precision)
    _logger.info("computing by %s in %s on %s", made.name, made.precision, device)
    return made


def _preferred(device: torch.device) -> str:
    there = device.type == "cpu" and importlib.util.find_spec("openvino") is not None
    return "openvino" if there else "torch"


def is_fast(precision: str, device: torch.device) -> bool:
    """Whether a device has instructions for a precision.

    Args:
        precision: one of `PRECISIONS`.
        device: where to compute.

    Returns:
        False where it is emulated, which is slower than float32.
    """
    if precision == "float32":
        return True
    if device.type == "cuda":
        return precision == "float16" or torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return precision == "bfloat16" and bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def _make(network: nn.Module, device: torch.device, name: str, precision: str) -> Runtime:
    if name == "openvino":
        return OpenVINORuntime(rearranged(network), precision)
    if name == "onnxruntime":
        return ONNXRuntime(rearranged(network))
    if device.type == "cpu":  # a GPU's costs are others, and were not measured
        with suppress(TraceError):  # what cannot be followed is computed as it is
            network = rearranged(network)
    return TorchRuntime(network, device, precision)


def choose_device(device: str) -> torch.device:
    """The device that a name means here.

    Args:
        device: `auto` (a GPU if there is one), `cpu` or `cuda`.

    Returns:
        The device.

    Raises:
        InputError: if it is none of these, or there is no GPU.
    """
    if device not in {"auto", "cpu", "cuda"}:
        raise InputError(f"There is no device {device}: use auto, cpu or cuda.")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("No CUDA device was found: use --device cpu, or install a CUDA build of PyTorch.")
    return torch.device("cuda" if device != "cpu" and available else "cpu")
