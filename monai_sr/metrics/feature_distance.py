"""How far an image is from its reference as a trained network sees them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

VGG_DISTANCE = "vgg_distance"
VGG_DISTANCE_TITLE = "VGG distance"
VGG_LAYER = "relu3_1"
"""VGG19's layer of the distance: deeper than what a loss on relu2_2 has trained on."""


@torch.inference_mode()
def feature_distance(network: nn.Module, pred: Tensor, target: Tensor) -> Tensor:
    """Root mean square difference of features, relative to the root mean square of the reference's.

    Being relative, it does not depend on how the network's layers are scaled.

    Args:
        network: frozen feature network that normalises its input, such as `VGG19Features` up to
            `VGG_LAYER`.
        pred: images to score, shape (N, C, H, W), in the network's range of intensities.
        target: their one reference, shape (1, C, H, W).

    Returns:
        Distances, shape (N,): 0 for equal features; NaN if the reference has none.

    Raises:
        ValueError: if the shapes do not fit.

    Reference:
        Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016,
        https://arxiv.org/abs/1603.08155

    Example:
        >>> image = torch.ones(1, 1, 4, 4)
        >>> feature_distance(nn.AvgPool2d(2), torch.cat([image, 0.5 * image]), image)
        tensor([0.0000, 0.5000])
    """
    if pred.ndim != 4 or target.shape != (1, *pred.shape[1:]):
        raise ValueError(
            f"pred has shape {tuple(pred.shape)} and target {tuple(target.shape)}: give (N, C, H, W) and "
            "(1, C, H, W)."
        )
    expected: Tensor = network(target).float()
    # One image at a time: the features of a radiograph take gigabytes.
    errors = [(network(image[None]).float() - expected).square().mean() for image in pred]
    return (torch.stack(errors) / expected.square().mean()).sqrt()
