"""The memory of a network, as estimated and as it is."""

import pytest
from torch import nn

from monai_sr.errors import InputError
from monai_sr.networks import EDSR, SRResNet, SwiftSRGAN
from monai_sr.runtimes.memory import GIBIBYTE, RESERVED, UNKNOWN_BYTES, bytes_per_pixel, largest_tile


@pytest.mark.parametrize("network_type", [EDSR, SRResNet, SwiftSRGAN])
def test_the_last_pixel_shuffle_counts(network_type):
    # 64 channels of float32 at the output's size, before and behind the shuffle, and the enlarged image.
    for scale_factor in (2, 4, 8):
        network = network_type(scale_factor, channels=64, num_blocks=2, global_skip=True)
        least = 4 * scale_factor**2 * (2 * 64)
        assert 1.25 * least <= bytes_per_pixel(network) <= 1.3 * least


class Winding(nn.Module):
    def forward(self, x):
        return x if x.mean() > 0 else -x


class Fussy(nn.Module):
    def forward(self, x):
        return nn.functional.avg_pool2d(x, 100)


@pytest.mark.parametrize("network", [Winding(), Fussy()])
def test_a_network_that_cannot_be_followed_counts_as_large(network):
    assert bytes_per_pixel(network) == UNKNOWN_BYTES


def test_a_tile_stays_within_the_limit():
    for limit in (1.1, 1.5, 2.0, 4.0):
        side = largest_tile(int(limit * GIBIBYTE), 1000, 2000, 20, 5000, 3000)
        assert RESERVED + 1000 + side**2 * 2000 <= limit * GIBIBYTE
        assert RESERVED + 1000 + (side + 8) ** 2 * 2000 > limit * GIBIBYTE


def test_the_limit_that_a_refusal_names_is_enough():
    with pytest.raises(InputError, match=r"too small .* 5000 x 3000 pixels: use 1\.2G or more"):
        largest_tile(GIBIBYTE, 0, 10_000, 40, 5000, 3000)
    assert largest_tile(int(1.2 * GIBIBYTE), 0, 10_000, 40, 5000, 3000) > 3 * 40
    # An image below the least tile needs no more than it takes as a whole.
    assert largest_tile(RESERVED + 20 * 30 * 10_000, 0, 10_000, 40, 20, 30) == 30
