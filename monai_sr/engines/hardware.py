"""What the machine computes fastest, and several machines or devices at once."""

from __future__ import annotations

import torch
import torch.distributed as dist
from monai.utils import set_determinism


def fastest_dtype(device: torch.device | str) -> str:
    """Precision that trains fastest here without scaled gradients.

    Args:
        device: where to train.

    Returns:
        "bfloat16" on a GPU or CPU with instructions for it, where it is faster; else "float32", since
        emulated bfloat16 is slower by far.
    """
    if torch.device(device).type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if native else "float32"


def start_distributed(device: torch.device, seed: int) -> None:
    """Join the processes that torchrun started, and seed each differently so that no two draw the same data.

    Args:
        device: this process's device; gloo connects CPUs, nccl GPUs.
        seed: of the first process.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    set_determinism(seed=seed + dist.get_rank())
