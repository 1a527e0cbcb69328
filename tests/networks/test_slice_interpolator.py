import pytest
import torch

from monai_sr.networks import SliceInterpolator


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = SliceInterpolator(channels=4, num_blocks=1)
    torch.nn.init.normal_(network.tail.weight)
    return network.eval()


def test_it_starts_from_nothing():
    assert not SliceInterpolator(channels=4, num_blocks=1)(torch.rand(1, 1, 5, 6), 13, 0.3).any()


def test_its_size():
    assert sum(value.numel() for value in SliceInterpolator().parameters()) == 160_424


def test_ratios_agree_where_their_slices_lie_alike(network):
    # Of 3 and of 9 finer slices in one, the middle one has its centre in the same place.
    x = torch.rand(1, 1, 6, 8)
    three, nine = (drawn(network, x, fine) for fine in (18, 54))
    torch.testing.assert_close(three[:, :, 1::3], nine[:, :, 4::9])


def drawn(network, x, fine):
    """What the network draws, told nothing of the ratio."""
    with torch.inference_mode():
        weight = network.head.weight.clone()
        network.head.weight[:, 1:] = 0
        result = network(x, fine, 0.3)
        network.head.weight.copy_(weight)
    return result


@pytest.mark.parametrize("argument", ["channels", "num_blocks", "num_polynomials"])
def test_wrong_sizes_are_refused(argument):
    with pytest.raises(ValueError, match=argument):
        SliceInterpolator(**{argument: 0})
