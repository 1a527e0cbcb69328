"""Smoothness of an image."""

from __future__ import annotations

from torch import Tensor, nn


class TotalVariationLoss(nn.Module):
    """Mean squared difference between neighbouring pixels, along rows plus along columns.

    The squares are as in SRGAN's and Swift-SRGAN's published code; averaging over the pixels makes the value
    independent of the crop's size.

    Reference:
        Aly and Dubois, "Image up-sampling using total-variation regularization with a new observation
        model", IEEE Transactions on Image Processing 14(10), 2005

    Example:
        >>> import torch
        >>> TotalVariationLoss()(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))
        tensor(1.)
    """

    def forward(self, pred: Tensor, target: Tensor | None = None) -> Tensor:
        """Measure a batch.

        Args:
            pred: generated images, shape (N, C, H, W), H and W at least 2.
            target: ignored; taken so that the term can stand beside supervised ones.

        Returns:
            Scalar, 0 for constant images.
        """
        along_columns = (pred[..., 1:, :] - pred[..., :-1, :]).square().mean()
        along_rows = (pred[..., :, 1:] - pred[..., :, :-1]).square().mean()
        return along_columns + along_rows
