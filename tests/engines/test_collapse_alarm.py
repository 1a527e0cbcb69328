from __future__ import annotations

import pytest
import torch
from monai.engines.utils import IterationEvents
from torch import nn

from monai_sr.engines import CollapseAlarm
from monai_sr.errors import MonaiSRError
from monai_sr.losses import AdversarialLoss, CriticLoss, DiscriminatorLoss, WassersteinLoss
from monai_sr.networks import SRGANDiscriminator


class Brightness(nn.Module):
    """Tells images apart by their mean alone, without any limit to its certainty."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(1, 1)

    def forward(self, x):
        return self.dense(x.mean((2, 3)))


class Dark(nn.Module):
    """A generator that stays easy to tell from real images."""

    def __init__(self):
        super().__init__()
        self.level = nn.Parameter(torch.tensor(-5.0))

    def forward(self, x):
        return x.repeat_interleave(2, -1).repeat_interleave(2, -2) * 0.1 + self.level


def test_a_discriminator_that_wins_too_clearly_raises_the_alarm(make_trainer, caplog):
    alarm = CollapseAlarm(window=10)
    trainer = make_trainer(
        generator=Dark(),
        discriminator=Brightness(),
        g_lr=0.0,
        d_lr=1.0,
        max_epochs=30,
        train_handlers=[alarm],
    )
    trainer.run()
    assert "certain of every image" in caplog.text
    assert "label_smoothing" in caplog.text


@pytest.mark.parametrize("wasserstein", [False, True])
def test_a_dead_discriminator_raises_the_alarm(make_trainer, caplog, wasserstein):
    discriminator = SRGANDiscriminator(channels=2, norm="none")
    with torch.no_grad():
        discriminator.logit.weight.zero_()
        discriminator.head[1].weight.zero_()
        discriminator.head[1].bias.zero_()
    trainer = make_trainer(
        discriminator=discriminator,
        d_loss=CriticLoss() if wasserstein else DiscriminatorLoss(),
        terms={"adversarial": [1.0, WassersteinLoss() if wasserstein else AdversarialLoss()]},
        max_epochs=3,
        train_handlers=[CollapseAlarm(window=5, wasserstein=wasserstein)],
    )
    trainer.run()
    assert caplog.text.count("been dead") == 1
    assert "d_optimizer" in caplog.text


def test_it_can_end_the_training(make_trainer):
    trainer = make_trainer(
        discriminator=_Constant(), d_lr=0.0, max_epochs=9, train_handlers=[CollapseAlarm(window=3, stop=True)]
    )
    with pytest.raises(MonaiSRError, match="been dead"):
        trainer.run()
    assert trainer.state.iteration == 3


def test_it_warns_again_once_a_window(make_trainer, caplog):
    trainer = make_trainer(
        discriminator=_Constant(), d_lr=0.0, max_epochs=5, train_handlers=[CollapseAlarm(window=4)]
    )
    trainer.run()
    assert caplog.text.count("been dead") == 2


class _Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.level = nn.Parameter(torch.zeros(1, 1))

    def forward(self, x):
        return self.level.expand(len(x), 1) + 0 * x.mean((1, 2, 3))[:, None]


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_a_contest_is_no_alarm(make_trainer, caplog, offset):
    """Neither a discriminator at chance nor one that is mostly right, as long as it tells images apart."""
    trainer = make_trainer(max_epochs=5, train_handlers=[CollapseAlarm(window=3)])

    def answer(engine):
        noise = torch.randn(2, 2, 1)
        engine.state.output["real_logits"], engine.state.output["fake_logits"] = (
            noise[0] + offset,
            noise[1] - offset,
        )

    trainer.add_event_handler(IterationEvents.LOSS_COMPLETED, answer)
    trainer.run()
    assert "discriminator" not in caplog.text


def test_a_critic_s_large_scores_are_no_alarm(make_trainer, caplog):
    trainer = make_trainer(
        generator=Dark(),
        discriminator=Brightness(),
        d_loss=CriticLoss(),
        terms={"adversarial": [1.0, WassersteinLoss()]},
        g_lr=0.0,
        d_lr=1.0,
        max_epochs=10,
        train_handlers=[CollapseAlarm(window=5, wasserstein=True)],
    )
    trainer.run()
    assert "discriminator" not in caplog.text


def test_wrong_window_is_named():
    with pytest.raises(ValueError, match="window"):
        CollapseAlarm(window=0)
