"""A toy generator, its opponent, and pairs to train them on."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from monai_sr.engines import AdversarialTrainer
from monai_sr.losses import AdversarialLoss, DiscriminatorLoss, GeneratorLoss
from monai_sr.networks import EDSR, SRGANDiscriminator


def make_pairs(count=4, size=8):
    """Smooth images and their block means."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 1, size // 2, size // 2, generator=generator)
    labels = nn.functional.interpolate(coarse, scale_factor=4, mode="bicubic", align_corners=False)
    return [{"image": nn.functional.avg_pool2d(label, 2), "label": label} for label in labels]


@pytest.fixture(autouse=True)
def _one_thread():
    """Waking a second thread costs more than these tensors take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def pairs():
    return make_pairs()


@pytest.fixture
def make_trainer(pairs):
    """Function to an `AdversarialTrainer` over the toy networks, with any argument replaced."""

    def make(
        terms=None,
        batch_size=2,
        seed=0,
        norm="none",
        g_lr=1e-2,
        d_lr=1e-2,
        optimizer=torch.optim.SGD,
        **changes,
    ):
        torch.manual_seed(seed)
        generator = changes.pop("generator", None) or EDSR(2, channels=4, num_blocks=1)
        discriminator = changes.pop("discriminator", None) or SRGANDiscriminator(channels=2, norm=norm)
        terms = terms or {"pixel": [1.0, nn.MSELoss()], "adversarial": [0.1, AdversarialLoss()]}
        arguments = {
            "device": "cpu",
            "max_epochs": 1,
            "train_data_loader": DataLoader(pairs, batch_size=batch_size),
            "generator": generator,
            "g_optimizer": optimizer(generator.parameters(), g_lr),
            "g_loss": GeneratorLoss(terms),
            "discriminator": discriminator,
            "d_optimizer": optimizer(discriminator.parameters(), d_lr),
            "d_loss": DiscriminatorLoss(0.1),
        }
        return AdversarialTrainer(**(arguments | changes))

    return make
