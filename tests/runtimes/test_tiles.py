"""Tiles give what the whole image gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from monai_sr.networks import EDSR, SRResNet, SwiftSRGAN
from monai_sr.runtimes.tiles import UNKNOWN_RADIUS, pieces, receptive_radius
from tests.runtimes.networks import trained

NETWORKS = [EDSR, SRResNet, SwiftSRGAN]


def tiled(run, image, scale_factor, tile, radius):
    rows, columns = (side * scale_factor for side in image.shape[2:])
    joined = torch.full((*image.shape[:2], rows, columns), torch.nan)
    for row, column, part in pieces(run, image, scale_factor, tile, radius):
        place = joined[
            :,
            :,
            row.start * scale_factor : row.stop * scale_factor,
            column.start * scale_factor : column.stop * scale_factor,
        ]
        assert place.isnan().all()
        place.copy_(part)
    return joined


@pytest.mark.parametrize("scale_factor", [2, 4])
@pytest.mark.parametrize("network_type", NETWORKS)
def test_the_radius_is_what_a_pixel_depends_on(network_type, scale_factor):
    network = trained(network_type, scale_factor, global_skip=True).double()
    radius = receptive_radius(network)
    middle = radius + 2
    image = torch.rand(1, 1, 3, 2 * middle + 1, dtype=torch.float64, requires_grad=True)
    for column in range(middle * scale_factor, (middle + 1) * scale_factor):
        (gradient,) = torch.autograd.grad(network(image)[..., column].sum(), image)
        reached = gradient[0, 0].abs().amax(0).nonzero()[:, 0]
        assert middle - radius <= int(reached.min())
        assert int(reached.max()) <= middle + radius


@torch.no_grad()
@settings(deadline=None, max_examples=30)
@given(
    network_type=st.sampled_from(NETWORKS),
    rows=st.integers(1, 70),
    columns=st.integers(40, 90),
    spare=st.integers(1, 9),
)
def test_tiled_equals_whole(network_type, rows, columns, spare):
    network = trained(network_type, 2, global_skip=True)
    radius = receptive_radius(network)
    image = torch.rand(1, 1, rows, columns)
    whole = network(image)
    pieces = tiled(network, image, 2, 2 * radius + spare, radius)
    assert float((pieces - whole).abs().max()) <= 1e-5 * max(1.0, float(whole.abs().max()))


@torch.no_grad()
def test_a_smaller_overlap_shows():
    network = trained(EDSR, 2, global_skip=True)
    radius = receptive_radius(network)
    image = torch.rand(1, 1, 50, 50)
    pieces = tiled(network, image, 2, 2 * radius + 4, radius - 4)
    assert float((pieces - network(image)).abs().max()) > 1e-4


def test_a_tile_within_the_overlap_is_refused():
    with pytest.raises(ValueError, match="more than twice the radius of 5"):
        tiled(torch.nn.Identity(), torch.zeros(1, 1, 50, 50), 1, 10, 5)


class Winding(nn.Module):
    def forward(self, x):
        return x if x.mean() > 0 else -x


class Functional(nn.Module):
    def forward(self, x):
        return nn.functional.avg_pool2d(x, 9, 1, 4)


@pytest.mark.parametrize(
    "network",
    [Winding(), Functional(), nn.AvgPool2d(9, 1, 4), nn.Conv2d(1, 1, 3, 2), nn.ConvTranspose2d(1, 1, 4, 2)],
)
def test_what_cannot_be_told_overlaps_by_far(network):
    assert receptive_radius(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), network)) == UNKNOWN_RADIUS
