"""Networks as files of other runtimes, for any number of images, rows and columns."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

EXAMPLE_SIZE = (24, 40)
"""Rows and columns that a network is traced on."""


def to_onnx(network: nn.Module, path: Path) -> None:
    """Write ONNX, with an input `image` and an output `pred`.

    Args:
        network: maps (N, 1, H, W) to (N, 1, H·s, W·s).
        path: file to write.

    Raises:
        ModuleNotFoundError: if the exporter is not installed.
    """
    dynamic = {index: torch.export.Dim(name) for index, name in ((0, "images"), (2, "rows"), (3, "columns"))}
    with _quiet():
        torch.onnx.export(
            network,
            (torch.rand(2, 1, *EXAMPLE_SIZE),),
            str(path),
            input_names=["image"],
            output_names=["pred"],
            dynamo=True,
            dynamic_shapes=[dynamic],
            external_data=False,
            verbose=False,
        )


def to_openvino(network: nn.Module, path: Path) -> None:
    """Write OpenVINO's IR, an .xml with a .bin beside it.

    Args:
        network: maps (N, 1, H, W) to (N, 1, H·s, W·s).
        path: file to write.

    Raises:
        ModuleNotFoundError: if OpenVINO is not installed.
    """
    import openvino

    shape = openvino.PartialShape([-1, 1, -1, -1])
    with _quiet():
        model = openvino.convert_model(
            network, example_input=torch.rand(1, 1, *EXAMPLE_SIZE), input=[("x", shape)]
        )
        # Half-precision weights would halve the file, and the accuracy that was released.
        openvino.save_model(model, str(path), compress_to_fp16=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep exporters' remarks on their own workings from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
