"""What a table must state for its numbers to mean anything."""

from __future__ import annotations

from collections.abc import Mapping

import monai
import numpy as np
import PIL
import SimpleITK
import torch

from monai_sr import __version__
from monai_sr.evaluate.pairs import MIN_SIGNAL
from monai_sr.evaluate.statistics import N_RESAMPLES
from monai_sr.metrics.feature_distance import VGG_LAYER
from monai_sr.metrics.haar_psi import ALPHA_MEDICAL, C_MEDICAL
from monai_sr.metrics.image_quality import DATA_RANGE, MS_SSIM_MIN_SIZE
from monai_sr.metrics.power_spectrum import POWER_FLOOR
from monai_sr.metrics.psnr import MAX_PSNR
from monai_sr.transforms.sampling import VERSION

FEW_PATIENTS = 10


def describe_conventions(
    scale_factor: int,
    degradation: object,
    max_slices: int | None,
    counts: Mapping[str, int],
    about: Mapping[str, str],
) -> dict[str, str]:
    """Say how the numbers of an evaluation came about.

    Args:
        scale_factor: integer >= 2.
        degradation: what made the low-resolution slices.
        max_slices: at most so many slices of each file, or None.
        counts: `patients`, `files`, `slices`, `slices_left_out` and `psnr_capped`.
        about: facts on the upscaler, such as its bundle and `weights_sha256`.

    Returns:
        Name -> sentence, in the order of reading.
    """
    slices = "all" if max_slices is None else f"at most {max_slices} of each file, evenly spaced"
    return {
        "scale factor": str(scale_factor),
        **about,
        "degradation": f"{describe_transform(degradation)}, degradations version {VERSION}",
        "channel": "one gray channel; each slice is an image",
        "size": "rows and columns beyond a multiple of the scale factor cropped at the bottom and the right",
        "border": "no pixel cropped before scoring",
        "intensities": "real values of each volume scaled linearly from [min, max] to [0, 1], no rounding; "
        "every method's result clipped to [0, 1]",
        "data_range": f"{DATA_RANGE:g}",
        "PSNR": f"at most {MAX_PSNR:g} dB, as identical images have no finite value; "
        f"{counts['psnr_capped']} values reached it",
        "SSIM, MS-SSIM": "MONAI's; Gaussian window of sigma 1.5 and 11 pixels, population covariance, "
        f"averaged where the window lies inside the image; MS-SSIM from {MS_SSIM_MIN_SIZE} pixels a side on",
        "HaarPSI": f"C = {C_MEDICAL:g}, alpha = {ALPHA_MEDICAL:g} (medical images, arXiv:2410.24098)",
        "spectrum error": "mean absolute ratio of the radially averaged, Hann-windowed power spectra, in dB; "
        f"power below {POWER_FLOOR:g} counts as {POWER_FLOOR:g}; high: from {0.5 / scale_factor:g} to 0.5 "
        "cycles per pixel, above the low-resolution image's Nyquist frequency",
        "VGG distance": f"where shown: root mean square difference of VGG19's {VGG_LAYER} features, relative "
        "to the root mean square of the reference's; gray as three channels, ImageNet's normalisation",
        "bicubic": "a = -0.5, PyTorch's with antialias=True and align_corners=False",
        "lanczos": "three lobes, Pillow's, same field of view",
        "bspline": "cubic B-spline, SimpleITK's, same field of view",
        "slices": f"{slices}, given to the upscaler together; {counts['slices']} scored by every method, "
        f"{counts['slices_left_out']} left out because they are constant or nowhere reach {MIN_SIGNAL:g}",
        "patients": f"{counts['patients']} with {counts['files']} files; a patient's value is the mean over "
        "all slices of all files, a table's the mean over patients",
        "interval": _describe_interval(counts["patients"]),
        "numbering": "patients, files and slices count from 1 in the datalist's order; no name is written",
        "versions": f"monai-sr {__version__}, monai {monai.__version__}, torch {torch.__version__}, "
        f"numpy {np.__version__}, pillow {PIL.__version__}, simpleitk {SimpleITK.Version_VersionString()}",
    }


def describe_transform(transform: object) -> str:
    """Name of a transform with its settings.

    Args:
        transform: any object; a MONAI `Compose` is described by its parts.

    Returns:
        The description, the same in every run.

    Example:
        >>> from monai_sr.transforms import BicubicDownsample
        >>> describe_transform(BicubicDownsample(2))
        'BicubicDownsample(scale_factor=2, blur_sigma=0.0)'
    """
    parts = getattr(transform, "transforms", None)
    if parts is not None:
        return " + ".join(describe_transform(part) for part in parts)
    settings = ", ".join(
        f"{name}={value!r}"
        for name, value in getattr(transform, "__dict__", {}).items()
        if not name.startswith("_") and isinstance(value, bool | int | float | str | tuple)
    )
    name = getattr(transform, "__name__", type(transform).__name__)
    return f"{name}({settings})"


def _describe_interval(n_patients: int) -> str:
    if n_patients < 2:
        return "none: it takes at least 2 patients"
    text = f"95%, percentile bootstrap over patients, {N_RESAMPLES} resamples, seed 0"
    if n_patients < FEW_PATIENTS:
        text += f"; with {n_patients} patients it is narrower than the true uncertainty"
    return text
