from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_sr.engines import WarmStart, prepare_network, run_stage
from monai_sr.engines.weights import load_trunk
from monai_sr.errors import InputError
from monai_sr.networks import EDSR


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.pt"
    torch.save(EDSR(2, channels=4, num_blocks=1).state_dict(), path)
    return path


def test_a_prepared_network_holds_the_weights_in_the_fast_layout(weights):
    network = prepare_network(EDSR(2, channels=4, num_blocks=1), "cpu", weights)
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in torch.load(weights).items())
    assert network.body[0].body[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert prepare_network(network, torch.device("cpu")) is network


def test_files_of_no_use_are_errors(weights, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        prepare_network(EDSR(2), "cpu", tmp_path / "absent.pt")
    with pytest.raises(InputError, match="another network or scale factor than EDSR"):
        prepare_network(EDSR(4, channels=4, num_blocks=1), "cpu", weights)
    weights.write_bytes(b"damaged")
    with pytest.raises(InputError, match="not a weights file"):
        prepare_network(EDSR(2), "cpu", weights)


def test_a_warm_start_loads_into_a_data_parallel_network(make_trainer, weights):
    generator = nn.DataParallel(EDSR(2, channels=4, num_blocks=1))
    run_stage(make_trainer(generator=generator, g_lr=0.0, train_handlers=[WarmStart(generator, weights)]))
    assert torch.equal(generator.module.head.weight, torch.load(weights)["head.weight"])


def test_a_warm_start_waits_for_the_run_and_leaves_a_resumed_one_alone(make_trainer, weights):
    generator = EDSR(2, channels=4, num_blocks=1)
    trainer = make_trainer(
        generator=generator, max_epochs=2, g_lr=0.0, train_handlers=[WarmStart(generator, weights)]
    )
    first = torch.load(weights)["head.weight"]
    assert not torch.equal(generator.head.weight, first)
    run_stage(trainer)
    assert torch.equal(generator.head.weight, first)

    with torch.no_grad():
        generator.head.weight.zero_()
    trainer.state.epoch, trainer.state.iteration = 1, 2
    run_stage(trainer)
    assert not generator.head.weight.any()


def test_another_scale_gives_its_trunk_only(weights):
    network = EDSR(4, channels=4, num_blocks=1)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    prepare_network(network, "cpu", trunk=weights)
    given = torch.load(weights)
    for key, value in network.state_dict().items():
        trunk = key.startswith(("head.", "body."))
        assert torch.equal(value, given[key] if trunk else before[key]), key


def test_a_trunk_of_another_size_is_an_error(weights):
    with pytest.raises(InputError, match="trunk of EDSR"):
        load_trunk(EDSR(4, channels=8, num_blocks=1), weights)
