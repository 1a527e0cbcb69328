from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_sr.engines import GeneratorEMA
from monai_sr.engines.ema import unwrap


def test_the_average_follows_its_formula():
    network = nn.Linear(1, 1, bias=False)
    ema = GeneratorEMA(network, decay=0.9)
    expected = None
    for value in (1.0, 3.0, -2.0, 5.0):
        with torch.no_grad():
            network.weight.fill_(value)
        ema.update_parameters(network)
        expected = value if expected is None else 0.9 * expected + 0.1 * value
        assert ema.module.weight.item() == pytest.approx(expected)


def test_first_update_takes_a_warm_start_loaded_after_it_was_built():
    network = nn.Linear(2, 2)
    ema = GeneratorEMA(network)
    network.load_state_dict(nn.Linear(2, 2).state_dict())
    ema.update_parameters(network)
    assert torch.equal(ema.module.weight, network.weight)


def test_batch_norm_statistics_are_the_trained_network_s():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    ema = GeneratorEMA(network, decay=0.5)
    for _ in range(3):
        network(torch.rand(2, 1, 5, 5))
        ema.update_parameters(network)
    assert torch.equal(ema.module[1].running_mean, network[1].running_mean)
    assert ema.module[1].num_batches_tracked == 3


def test_it_is_apart_from_the_trained_network():
    network = nn.Linear(1, 1)
    ema = GeneratorEMA(network)
    assert unwrap(ema) is not network
    assert network.weight.requires_grad
    assert not any(parameter.requires_grad for parameter in ema.parameters())


def test_wrappers_are_removed():
    network = nn.Linear(1, 1)
    assert unwrap(nn.DataParallel(network)) is network
    ema = GeneratorEMA(nn.DataParallel(network), decay=0.5)
    ema.update_parameters(nn.DataParallel(network))
    assert ema.module.state_dict().keys() == network.state_dict().keys()


def test_wrong_decay_is_named():
    with pytest.raises(ValueError, match="decay"):
        GeneratorEMA(nn.Linear(1, 1), decay=1.0)
