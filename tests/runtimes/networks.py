"""Small networks for the tests."""

import torch
from torch import nn


@torch.no_grad()
def trained(network_type: type[nn.Module], scale_factor: int, global_skip: bool) -> nn.Module:
    """A small network none of whose parameters or statistics is what it was made with."""
    torch.manual_seed(scale_factor)
    network = network_type(scale_factor, channels=6, num_blocks=2, global_skip=global_skip)
    for parameter in network.parameters():
        parameter.uniform_(-0.3, 0.3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(0.5, 1.5)
    return network.eval()
