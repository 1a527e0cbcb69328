"""How much of the missing detail was found, left out, or made up instead."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def error_split(pred: Tensor, interpolated: Tensor, target: Tensor, patch: int) -> Tensor:
    """Split of each patch what super-resolution found, what it left out and what it made up.

    The pixels of a patch are a point. On the straight way from the interpolation to the reference, the point
    nearest to the prediction says how far it got: what lies behind is improved, what lies ahead is omitted,
    and the distance from the way is hallucinated. Interpolation itself omits everything, the reference
    improves everything.

    Args:
        pred: super-resolved image, shape (H, W), any unit.
        interpolated: the low-resolution image interpolated, of the same shape and unit.
        target: reference of the same shape and unit.
        patch: side of the patches in pixels, at least 1; those at the end may be smaller.

    Returns:
        Improved, omitted and hallucinated part of each patch, float64, shape (3, P, Q), none below 0: root
        mean squares in the images' unit. Divided by their sum, they are shares.

    Raises:
        ValueError: if shapes differ or are not (H, W), or `patch` < 1.

    Reference:
        The three parts are those of Aybar et al., "A Comprehensive Benchmark for Optical Remote Sensing Image
        Super-Resolution" (opensr-test), IEEE GRSL 21, 2024, whose distances call hallucinated whatever got
        half-way; here they are projections.

    Example:
        >>> target = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
        >>> pred = torch.tensor([[0.0, 0.75, 0.0, 0.5]])
        >>> error_split(pred, torch.zeros(1, 4), target, patch=1)[:, 0].T.tolist()
        [[0.0, 0.0, 0.0], [0.75, 0.25, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.5]]
    """
    if pred.ndim != 2 or not pred.shape == interpolated.shape == target.shape:
        raise ValueError(
            f"the shapes are {tuple(pred.shape)}, {tuple(interpolated.shape)} and {tuple(target.shape)}: "
            "give one (H, W)."
        )
    if patch < 1:
        raise ValueError(f"patch is {patch}: give at least 1.")

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values[None], patch, ceil_mode=True, count_include_pad=False)[0]

    added, missing = (image.double() - interpolated.double() for image in (pred, target))
    way = mean(missing**2)
    share = (mean(added * missing) / way.clamp_min(torch.finfo(way.dtype).tiny)).clamp(0, 1)
    step = F.interpolate(share[None, None], scale_factor=patch, mode="nearest")[0, 0]
    aside = mean((added - step[: pred.shape[0], : pred.shape[1]] * missing) ** 2)
    return torch.stack([share * way.sqrt(), (1 - share) * way.sqrt(), aside.sqrt()])
