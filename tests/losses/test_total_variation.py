from __future__ import annotations

import torch

from monai_sr.losses import TotalVariationLoss


def test_it_equals_the_mean_squared_differences_of_both_directions():
    image = torch.rand(2, 1, 5, 7)
    along_columns = sum((image[:, :, i + 1] - image[:, :, i]).square().sum() for i in range(4)) / (2 * 4 * 7)
    along_rows = sum((image[..., i + 1] - image[..., i]).square().sum() for i in range(6)) / (2 * 5 * 6)
    assert torch.allclose(TotalVariationLoss()(image), along_columns + along_rows)


def test_constant_images_cost_nothing_and_size_does_not_matter():
    assert TotalVariationLoss()(torch.ones(1, 1, 4, 4)) == 0
    stripes = torch.arange(8.0).remainder(2).expand(1, 1, 8, 8)
    assert TotalVariationLoss()(stripes) == TotalVariationLoss()(stripes[..., :4, :4]) == 1
