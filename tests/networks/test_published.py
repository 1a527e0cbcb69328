from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_sr.errors import InputError
from monai_sr.networks import EDSR, SRResNet, edsr_state_dict, rgb_to_gray_state_dict

MEAN = torch.tensor([0.4488, 0.4371, 0.4040])
MARGIN = 6  # of 1 block: head 1, block 2, body 1, up-sampling 1, and less than one for the tail


class MeanShift(nn.Conv2d):
    def __init__(self, sign):
        super().__init__(3, 3, 1)
        self.weight.data = torch.eye(3)[:, :, None, None]
        self.bias.data = sign * 255 * MEAN


class PublishedBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        convs = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)]
        self.body = nn.Sequential(convs[0], nn.ReLU(), convs[1])

    def forward(self, x):
        return x + self.body(x)


class PublishedEDSR(nn.Module):
    """The release's network, from its paper and its checkpoints' keys."""

    def __init__(self, factors, channels=8):
        super().__init__()
        self.sub_mean, self.add_mean = MeanShift(-1), MeanShift(1)
        self.head = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1))
        self.body = nn.Sequential(PublishedBlock(channels), nn.Conv2d(channels, channels, 3, padding=1))
        steps = []
        for factor in factors:
            steps += [nn.Conv2d(channels, channels * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
        self.tail = nn.Sequential(nn.Sequential(*steps), nn.Conv2d(channels, 3, 3, padding=1))

    def forward(self, x):
        features = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(features + self.body(features)))


@pytest.mark.parametrize(("scale_factor", "factors"), [(2, [2]), (3, [3]), (4, [2, 2])])
@torch.no_grad()
def test_a_published_edsr_gives_its_gray_mean(scale_factor, factors):
    published = PublishedEDSR(factors).eval()
    network = EDSR(scale_factor, channels=8, num_blocks=1).eval()
    network.load_state_dict(edsr_state_dict(published.state_dict()))
    x = torch.rand(1, 1, 17, 20)
    expected = published(255 * x.repeat(1, 3, 1, 1)).mean(1, keepdim=True) / 255
    kept = slice(MARGIN * scale_factor, -MARGIN * scale_factor)
    inside = (..., kept, kept)
    assert expected[inside].std() > 1e-3
    assert (network(x) - expected)[inside].abs().max() < 1e-5


@torch.no_grad()
def test_a_published_edsr_keeps_its_colours():
    published = PublishedEDSR([2]).eval()
    network = EDSR(2, in_channels=3, channels=8, num_blocks=1).eval()
    network.load_state_dict(edsr_state_dict(published.state_dict(), in_channels=3))
    x = torch.rand(1, 3, 17, 20)
    inside = (..., slice(2 * MARGIN, -2 * MARGIN), slice(2 * MARGIN, -2 * MARGIN))
    assert (network(x) - published(255 * x) / 255)[inside].abs().max() < 1e-5


def test_the_mean_colour_is_known_where_the_checkpoint_leaves_it_out():
    state = PublishedEDSR([2]).state_dict()
    without = {key: value for key, value in state.items() if "_mean" not in key}
    imported, expected = edsr_state_dict(without), edsr_state_dict(state)
    assert imported.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(imported[key], value)


@pytest.mark.parametrize(
    "key",
    [
        "head.0.weight",
        "body.0.body.2.bias",
        "body.1.weight",
        "tail.0.0.bias",
        "tail.1.weight",
        "add_mean.bias",
    ],
)
def test_a_missing_layer_is_named(key):
    state = PublishedEDSR([2]).state_dict()
    del state[key]
    with pytest.raises(InputError, match=key):
        edsr_state_dict(state)


def test_another_layout_is_refused():
    with pytest.raises(InputError, match=r"head\.0\.weight"):
        edsr_state_dict(EDSR(2, channels=8, num_blocks=1).state_dict())
    with pytest.raises(InputError, match=r"upsample\.weight, which EDSR lacks"):
        edsr_state_dict(PublishedEDSR([2]).state_dict() | {"upsample.weight": torch.zeros(1)})
    gray_head = torch.zeros(8, 1, 3, 3)
    with pytest.raises(InputError, match=r"head\.0 has shape \(8, 1, 3, 3\).*RGB"):
        edsr_state_dict(PublishedEDSR([2]).state_dict() | {"head.0.weight": gray_head})
    with pytest.raises(ValueError, match="in_channels"):
        edsr_state_dict(PublishedEDSR([2]).state_dict(), in_channels=2)


@pytest.mark.parametrize(("network_class", "head_key"), [(SRResNet, "head.0"), (EDSR, "head")])
@torch.no_grad()
def test_an_rgb_network_of_ours_gives_its_gray_mean_up_to_the_kepts(network_class, head_key):
    rgb = network_class(2, in_channels=3, channels=4, num_blocks=1)
    rgb(torch.rand(2, 3, 9, 11))  # gives batch norm statistics of its own
    gray = network_class(2, channels=4, num_blocks=1).eval()
    gray.load_state_dict(rgb_to_gray_state_dict(rgb.state_dict(), head_key=head_key))
    x = torch.rand(2, 1, 9, 11)
    expected = rgb.eval()(x.repeat(1, 3, 1, 1)).mean(1, keepdim=True)
    torch.testing.assert_close(gray(x), expected)


def test_a_wrong_head_or_tail_is_named():
    state = SRResNet(2, in_channels=3, channels=4, num_blocks=1).state_dict()
    with pytest.raises(InputError, match=r"no first\.weight"):
        rgb_to_gray_state_dict(state, head_key="first")
    with pytest.raises(InputError, match=r"upsampling\.0 .*RGB"):
        rgb_to_gray_state_dict(state, head_key="head.0", tail_key="upsampling.0")
