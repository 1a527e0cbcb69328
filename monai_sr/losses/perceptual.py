"""Distance between images as a frozen network sees them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CRITERIA: dict[str, type[nn.Module]] = {"mse": nn.MSELoss, "l1": nn.L1Loss}


class FeatureLoss(nn.Module):
    """Mean distance between the features of two images: the content loss of SRGAN.

    Args:
        network: frozen feature network, such as `monai_sr.networks.VGG19Features`; it normalises its input.
        criterion: "mse", SRGAN's, or "l1".

    Raises:
        ValueError: if `criterion` is unknown.

    Reference:
        Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
        Network", CVPR 2017, https://arxiv.org/abs/1609.04802

    Example:
        >>> loss = FeatureLoss(nn.AvgPool2d(2), criterion="l1")
        >>> loss(torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
        tensor(1.)
    """

    def __init__(self, network: nn.Module, criterion: str = "mse") -> None:
        super().__init__()
        if criterion not in CRITERIA:
            raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}, got {criterion!r}.")
        self.network = network
        self.criterion = CRITERIA[criterion]()

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compare a batch with its targets.

        Args:
            pred: generated images, shape (N, C, H, W), in the feature network's range.
            target: real images, same shape and range; no gradient flows to them.

        Returns:
            Scalar in float32, whatever the precision of the features.
        """
        with torch.no_grad():
            expected = self.network(target)
        # Squares of half-precision features overflow.
        loss: Tensor = self.criterion(self.network(pred).float(), expected.float())
        return loss
