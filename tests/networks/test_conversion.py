"""An EDSR and the SRResNet made of it are one function."""

from __future__ import annotations

import pytest
import torch

from monai_sr.networks import EDSR, srresnet_from_edsr


@pytest.mark.parametrize("scale_factor", [2, 4])
@pytest.mark.parametrize("global_skip", [True, False])
def test_both_compute_the_same(scale_factor, global_skip):
    edsr = EDSR(scale_factor, channels=6, num_blocks=3, global_skip=global_skip)
    for parameter in edsr.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    images = torch.rand(2, 1, 11, 9)
    network = srresnet_from_edsr(edsr, images)
    other = torch.rand(1, 1, 7, 12)
    with torch.no_grad():
        expected = edsr(other)
        torch.testing.assert_close(network(other), expected, rtol=1e-4, atol=1e-5)
        # In training, too, on the images of the statistics.
        torch.testing.assert_close(network.train()(images), edsr(images), rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.02


def test_scaled_residuals_are_refused():
    with pytest.raises(ValueError, match="residual scale of 1"):
        srresnet_from_edsr(EDSR(2, channels=4, num_blocks=1, residual_scale=0.1), torch.rand(1, 1, 8, 8))
