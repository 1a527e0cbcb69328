from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_sr.engines import GeneratorEMA
from monai_sr.engines.ema import unwrap


def test_the_average_follows_its_formula():
    network = nn.Linear(1, 1, bias=False)
    ema = GeneratorEMA(network, decay=0.2)
    expected = 1.0
    for count, value in enumerate((1.0, 3.0, -2.0, 5.0)):
        with torch.no_grad():
            network.weight.fill_(value)
        ema.update_parameters(network)
        share = min(0.2, (1 + count) / (10 + count))
        expected = share * expected + (1 - share) * value if count else value
        assert ema.module.weight.item() == pytest.approx(expected)


def test_a_short_run_is_not_left_behind():
    network = nn.Linear(1, 1, bias=False)
    ema = GeneratorEMA(network)
    for step in range(100):
        with torch.no_grad():
            network.weight.fill_(step / 99)
        ema.update_parameters(network)
    assert ema.module.weight.item() > 0.85


def test_first_update_takes_a_warm_start_loaded_after_it_was_built():
    network = nn.Linear(2, 2)
    ema = GeneratorEMA(network)
    network.load_state_dict(nn.Linear(2, 2).state_dict())
    ema.update_parameters(network)
    assert torch.equal(ema.module.weight, network.weight)


def test_batch_norm_statistics_are_averaged_with_the_weights():
    network = nn.BatchNorm1d(1)
    ema = GeneratorEMA(network, decay=0.0)
    slow = GeneratorEMA(network, decay=0.9)
    for level in (0.0, 100.0):
        with torch.no_grad():
            network.running_mean.fill_(level)
            network.weight.fill_(level)
        ema.update_parameters(network)
        slow.update_parameters(network)
    assert ema.module.running_mean.item() == 100
    assert 0 < slow.module.running_mean.item() < 100
    assert slow.module.running_mean.item() == pytest.approx(slow.module.weight.item())


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
