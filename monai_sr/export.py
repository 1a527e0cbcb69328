"""A bundle's network for other runtimes, each export proven equal to the network before it is kept."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.runtimes.conversion import Run, require_same, to_onnx, to_openvino


def export_network(network: nn.Module, path: str | Path, format: str, overwrite: bool = False) -> float:
    """Write a network for another runtime, with any number of rows and columns.

    Args:
        network: maps (1, 1, H, W) to (1, 1, H·s, W·s).
        path: file to write, with the suffix of its format; OpenVINO puts a `.bin` beside it.
        format: a key of `FORMATS`.
        overwrite: replace an earlier export.

    Returns:
        The largest absolute difference from the network's own output, on images of several sizes in [0, 1].

    Raises:
        InputError: if the format is unknown, its runtime is not installed, or the path does not fit.
        MonaiSRError: if the export differs from the network, or the disk refuses; nothing is left then.
    """
    path = Path(path).resolve()
    if format not in FORMATS:
        raise InputError(f"There is no format {format}: use one of {', '.join(FORMATS)}.")
    suffix, write = FORMATS[format]
    if path.suffix != suffix:
        raise InputError(f"{path} must end in {suffix} for {format}.")
    files = [path, path.with_suffix(".bin")] if format == "openvino" else [path]
    for file in files:
        if file.exists() and not overwrite:
            raise InputError(f"{file} exists; name another file or add --overwrite.")
    network = network.eval()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside the output, so that a rename ends it.
        with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
            draft = Path(folder) / path.name
            run = write(network, draft)
            difference = require_same(network, run)
            for file in reversed(files):
                (draft.parent / file.name).replace(file)
    except ModuleNotFoundError as error:
        raise InputError(
            f"The {format} export needs {error.name}: pip install 'monai-sr[{format}]'."
        ) from error
    except OSError as error:
        raise MonaiSRError(f"{path} could not be written ({error.strerror}).") from error
    return difference


def _torchscript(network: nn.Module, path: Path) -> Run:
    torch.jit.save(torch.jit.script(network), str(path))
    run: Run = torch.jit.load(str(path))
    return run


def _onnx(network: nn.Module, path: Path) -> Run:
    import onnxruntime

    to_onnx(network, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(None, {"image": image.numpy()})[0])


def _openvino(network: nn.Module, path: Path) -> Run:
    import openvino

    to_openvino(network, path)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(path), "CPU", exact)
    return lambda image: torch.from_numpy(np.array(compiled([image.numpy()])[0]))


def _safetensors(network: nn.Module, path: Path) -> Run:
    from safetensors.torch import load_file, save

    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    path.write_bytes(save(state))  # its own way to write a file lets nobody else read it
    loaded = copy.deepcopy(network)
    for parameter in loaded.parameters():
        nn.init.zeros_(parameter)
    loaded.load_state_dict(load_file(str(path)))
    return loaded


FORMATS: dict[str, tuple[str, Callable[[nn.Module, Path], Run]]] = {
    "torchscript": (".ts", _torchscript),
    "onnx": (".onnx", _onnx),
    "openvino": (".xml", _openvino),
    "safetensors": (".safetensors", _safetensors),
}
"""Name -> suffix, and what writes a file and gives a function that runs what was written."""
