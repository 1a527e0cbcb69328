from __future__ import annotations

import pytest
import torch

from monai_sr.networks import SRGANDiscriminator, SwiftSRGANDiscriminator

BOTH = pytest.mark.parametrize("discriminator", [SRGANDiscriminator, SwiftSRGANDiscriminator])


@pytest.mark.parametrize(
    ("discriminator", "count"), [(SRGANDiscriminator, 23_563_649), (SwiftSRGANDiscriminator, 19_413_279)]
)
def test_the_paper_s_discriminator_has_its_number_of_parameters(discriminator, count):
    with torch.device("meta"):
        network = discriminator(in_channels=3)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_pooling_is_the_identity_at_96_pixels():
    network = SRGANDiscriminator(channels=4).eval()
    features = network.features(torch.rand(1, 1, 96, 96))
    assert features.shape == (1, 32, 6, 6)
    assert torch.equal(network.pool(features), features)


@BOTH
@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("size", [(16, 16), (33, 50), (96, 96), (100, 41)])
def test_one_unbounded_logit_for_each_image_of_any_size(discriminator, size, norm):
    network = discriminator(in_channels=1, channels=4, norm=norm)
    logits = network(torch.rand(3, 1, *size))
    assert logits.shape == (3, 1)
    with torch.no_grad():
        network.logit.bias.fill_(-5.0)
    assert (network(torch.rand(3, 1, *size)) < 0).all()


@BOTH
def test_a_critic_judges_each_image_alone(discriminator):
    images = torch.rand(4, 1, 24, 24)
    critic = discriminator(channels=4, norm="none").train()
    assert torch.allclose(critic(images)[:1], critic(images[:1]), atol=1e-6)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in critic.modules())


def test_first_convolution_has_no_batch_norm():
    network = SRGANDiscriminator(channels=4)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == 7
    assert isinstance(network.features[1], torch.nn.LeakyReLU)


@BOTH
def test_it_can_be_scripted(discriminator):
    network = discriminator(channels=4).eval()
    images = torch.rand(2, 1, 40, 24)
    assert torch.allclose(torch.jit.script(network)(images), network(images), atol=1e-6)


@BOTH
@pytest.mark.parametrize("arguments", [{"in_channels": 0}, {"channels": -1}, {"norm": "instance"}])
def test_wrong_arguments_are_named(discriminator, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        discriminator(**arguments)
