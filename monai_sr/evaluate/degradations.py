"""The degradations that an evaluation can be asked for by name."""

from __future__ import annotations

from monai_sr.errors import InputError
from monai_sr.transforms import BicubicDownsample, DetectorBinning, KSpaceTruncate, OCTSampling
from monai_sr.transforms.sampling import Downsample

KERNELS: dict[str, type[Downsample]] = {
    "bicubic": BicubicDownsample,
    "kspace": KSpaceTruncate,
    "binning": DetectorBinning,
    "oct": OCTSampling,
}


def make_degradation(kernel: str, scale_factor: int) -> Downsample:
    """A degradation by its short name, with its default parameters.

    Args:
        kernel: `bicubic`, the literature's; `kspace`, MRI's; `binning`, an X-ray
            detector's; `oct`, that of fewer A-scans and a narrower source.
        scale_factor: how many times coarser, at least 2.

    Returns:
        The array transform.

    Raises:
        InputError: if there is no such kernel, or `scale_factor` < 2.

    Example:
        >>> make_degradation("kspace", 2).scale_factor
        2
    """
    if kernel not in KERNELS:
        raise InputError(f"There is no kernel {kernel}: use one of {', '.join(KERNELS)}.")
    if scale_factor < 2:
        raise InputError(f"The scale factor must be 2 or more, got {scale_factor}.")
    return KERNELS[kernel](scale_factor)
