"""Networks as files of other runtimes, for any number of images, rows and columns."""

from __future__ import annotations

import errno
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from monai_sr.errors import MonaiSRError

Run = Callable[[Tensor], Tensor]

EXAMPLE_SIZE = (24, 40)
"""Rows and columns that a network is traced on."""

CHECKED_SIZES = (EXAMPLE_SIZE, (7, 9), (1, 1), (33, 64))
"""Rows and columns that a converted network is tried on."""

TOLERANCE = 1e-4
"""Largest difference from the network, of outputs about 1; what float32 in another order makes is 1e-6."""


def to_onnx(network: nn.Module, path: Path) -> None:
    """Write ONNX, with an input `image` and an output `pred`.

    Args:
        network: maps (N, 1, H, W) to (N, 1, H·s, W·s).
        path: file to write.

    Raises:
        ModuleNotFoundError: if the exporter is not installed.
        MonaiSRError: if it does not know a part of the network.
        OSError: if the disk refuses.
    """
    dynamic = {index: torch.export.Dim(name) for index, name in ((0, "images"), (2, "rows"), (3, "columns"))}
    with _converting("ONNX"):
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


def to_openvino(network: nn.Module, path: Path, channels: int = 1) -> None:
    """Write OpenVINO's IR, an .xml with a .bin beside it.

    Args:
        network: maps (N, channels, H, W) to (N, 1, H·s, W·s).
        path: file to write.
        channels: of its images.

    Raises:
        ModuleNotFoundError: if OpenVINO is not installed.
        MonaiSRError: if it does not know a part of the network.
        OSError: if the disk refuses.
    """
    import openvino

    shape = openvino.PartialShape([-1, channels, -1, -1])
    with _converting("OpenVINO"):
        model = openvino.convert_model(
            network, example_input=torch.rand(1, channels, *EXAMPLE_SIZE), input=[("x", shape)]
        )
        # Half-precision weights would halve the file, and the accuracy that was released.
        try:
            openvino.save_model(model, str(path), compress_to_fp16=False)
        except RuntimeError as error:
            # It knows the model that it made, so that nothing but the disk is left to refuse it.
            raise OSError(errno.EIO, "OpenVINO could not write its file", str(path)) from error


@torch.inference_mode()
def largest_difference(network: nn.Module, run: Run, channels: int = 1) -> float:
    """How far an exported network is from its original.

    Args:
        network: the original, on the CPU.
        run: the exported one.
        channels: of their images.

    Returns:
        Largest absolute difference over noise of `CHECKED_SIZES`; infinite if a shape differs or a value is
        not finite.
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for size in CHECKED_SIZES:
        image = torch.rand(1, channels, *size, generator=generator)
        expected, pred = network(image), run(image)
        if expected.shape != pred.shape or not torch.isfinite(pred).all():
            return float("inf")
        worst = max(worst, float((expected - pred).abs().max()))
    return worst


def require_same(network: nn.Module, run: Run, channels: int = 1) -> float:
    """Compare a converted network with its original.

    Args:
        network: the original, on the CPU.
        run: the converted one.
        channels: of their images.

    Returns:
        Their `largest_difference`.

    Raises:
        MonaiSRError: if it is above `TOLERANCE`.
    """
    difference = largest_difference(network, run, channels)
    if not difference <= TOLERANCE:
        raise MonaiSRError(
            f"The converted network differs from its original by {difference:.1e}, more than "
            f"{TOLERANCE:.0e}. Try another version of its runtime."
        )
    return difference


@contextmanager
def _converting(to: str) -> Iterator[None]:
    """Keep exporters' remarks on their own workings from the user, and say in a sentence that one failed."""
    exporter, root = logging.getLogger("torch.onnx"), logging.getLogger()
    levels = exporter.level, root.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ModuleNotFoundError, OSError):
        raise
    except Exception as error:  # of many unrelated types, for what a runtime does not know
        raise MonaiSRError(f"The network cannot be converted to {to} ({type(error).__name__}).") from error
    finally:
        exporter.setLevel(levels[0])
        root.setLevel(levels[1])  # which OpenVINO's converter raises for everybody
