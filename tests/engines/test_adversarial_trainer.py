from __future__ import annotations

import copy
import math
from unittest.mock import patch

import pytest
import torch
from ignite.engine import Events
from monai.engines.utils import IterationEvents
from torch import nn

from monai_sr.engines import GeneratorEMA
from monai_sr.engines.ramp import cosine_ramp
from monai_sr.errors import MonaiSRError
from monai_sr.losses import AdversarialLoss, CriticLoss, DiscriminatorLoss, GradientPenalty, WassersteinLoss
from monai_sr.networks import SRResNet


def weights(network):
    return torch.cat([parameter.detach().flatten().clone() for parameter in network.parameters()])


def collect(trainer, event, read):
    """What `read(output)` gives at each `event`, before the output is decollated."""
    values = []
    trainer.add_event_handler(event, lambda engine: values.append(read(engine.state.output)))
    return values


def test_both_networks_learn(make_trainer):
    trainer = make_trainer()
    before = weights(trainer.generator), weights(trainer.discriminator)
    trainer.run()
    assert not torch.equal(before[0], weights(trainer.generator))
    assert not torch.equal(before[1], weights(trainer.discriminator))


def test_one_iteration_equals_the_algorithm_written_out(make_trainer, pairs):
    trainer = make_trainer(batch_size=4)
    generator, discriminator = copy.deepcopy(trainer.generator), copy.deepcopy(trainer.discriminator)
    image, label = (torch.stack([pair[key] for pair in pairs]) for key in ("image", "label"))
    bce = nn.BCEWithLogitsLoss()

    real, fake = discriminator(label), discriminator(generator(image).detach())
    d_loss = (bce(real, torch.full_like(real, 0.9)) + bce(fake, torch.zeros_like(fake))) / 2
    d_loss.backward()
    torch.optim.SGD(discriminator.parameters(), 1e-2).step()
    pred = generator(image)
    logits = discriminator(pred)
    g_loss = nn.functional.mse_loss(pred, label) + 0.1 * bce(logits, torch.ones_like(logits))
    g_loss.backward()
    torch.optim.SGD(generator.parameters(), 1e-2).step()

    trainer.run()
    assert torch.allclose(weights(trainer.discriminator), weights(discriminator), atol=1e-7)
    assert torch.allclose(weights(trainer.generator), weights(generator), atol=1e-7)
    output = trainer.state.output[0]
    assert output["loss"] == pytest.approx(g_loss.item(), rel=1e-5)
    assert output["d_loss"] == pytest.approx(d_loss.item(), rel=1e-5)


def test_real_is_the_label_and_fake_the_prediction(make_trainer, pairs):
    trainer = make_trainer(batch_size=4)
    seen = []
    trainer.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    trainer.run()
    labels = torch.stack([pair["label"] for pair in pairs])
    assert torch.equal(seen[0], labels)
    assert torch.equal(seen[1], torch.stack([item["pred"] for item in trainer.state.output]))
    assert torch.equal(seen[1], seen[2])
    assert not any(torch.equal(images, labels) for images in seen[1:])


def test_the_discriminator_is_updated_d_steps_times_for_each_generator_update(make_trainer):
    trainer = make_trainer(d_steps=3)
    with (
        patch.object(trainer.d_optimizer, "step", wraps=trainer.d_optimizer.step) as d_step,
        patch.object(trainer.g_optimizer, "step", wraps=trainer.g_optimizer.step) as g_step,
    ):
        trainer.run()
    assert (d_step.call_count, g_step.call_count) == (6, 2)


def test_the_generator_s_update_leaves_no_gradient_in_the_discriminator(make_trainer):
    trainer = make_trainer(d_lr=0.0)
    trainer.discriminator.features[0].bias.requires_grad_(False)
    gradients = []
    step = trainer.d_optimizer.step

    def record():
        gradients.append(trainer.discriminator.logit.weight.grad.clone())
        step()

    with patch.object(trainer.d_optimizer, "step", record):
        trainer.run()
    assert torch.equal(gradients[-1], trainer.discriminator.logit.weight.grad)
    assert trainer.discriminator.logit.weight.requires_grad
    assert not trainer.discriminator.features[0].bias.requires_grad


@pytest.mark.parametrize("penalty", [False, True])
def test_micro_batches_accumulate_to_the_whole_batch(make_trainer, pairs, penalty):
    whole, parts = (
        make_trainer(
            batch_size=4,
            d_steps=2,
            micro_batches=count,
            max_epochs=3,
            gradient_penalty=_HalfwayPenalty() if penalty else None,
        )
        for count in (1, 3)
    )
    whole.run()
    parts.run()
    assert torch.allclose(weights(whole.generator), weights(parts.generator), atol=1e-6)
    assert torch.allclose(weights(whole.discriminator), weights(parts.discriminator), atol=1e-6)
    for key in ("loss", "d_loss", "g_pixel", "g_adversarial"):
        assert whole.state.output[0][key] == pytest.approx(parts.state.output[0][key], rel=1e-4)
    assert len(parts.state.output) == 4
    assert torch.allclose(whole.state.output[3]["pred"], parts.state.output[3]["pred"], atol=1e-6)


class _HalfwayPenalty(GradientPenalty):
    def forward(self, critic, real, fake):
        with patch("torch.rand", lambda *size, **_: torch.full(size, 0.5)):
            return super().forward(critic, real, fake)


def test_monai_s_events_fire_once_each_in_order_with_the_output_they_need(make_trainer):
    trainer = make_trainer(micro_batches=2, d_steps=2)
    fired = []
    for event in IterationEvents:
        if event.name in ("FORWARD_COMPLETED", "LOSS_COMPLETED", "BACKWARD_COMPLETED", "MODEL_COMPLETED"):
            trainer.add_event_handler(
                event, lambda engine, event: fired.append((event, list(engine.state.output))), event
            )
    trainer.run()
    assert [event.name for event, _ in fired[:4]] == [
        "FORWARD_COMPLETED",
        "LOSS_COMPLETED",
        "BACKWARD_COMPLETED",
        "MODEL_COMPLETED",
    ]
    assert len(fired) == 8
    assert {"image", "label", "pred", "d_loss"} <= set(fired[0][1])
    assert {"loss", "g_pixel", "g_adversarial"} <= set(fired[1][1])


def test_the_state_holds_numbers_and_images_only(make_trainer):
    trainer = make_trainer()
    outputs = collect(trainer, IterationEvents.BACKWARD_COMPLETED, dict)
    trainer.run()
    assert all(isinstance(value, torch.Tensor) and not value.requires_grad for value in outputs[0].values())
    item = trainer.state.output[0]
    assert item["pred"].shape == item["label"].shape == (1, 16, 16)
    assert item["loss"] == pytest.approx(item["g_pixel"] + item["g_adversarial"], rel=1e-5)


def test_adversarial_weight_follows_its_ramp(make_trainer):
    trainer = make_trainer(adversarial_delay=2, adversarial_ramp=3, max_epochs=4)

    def ratio(output):
        full = 0.1 * AdversarialLoss()(trainer.discriminator(output["pred"]))
        return (output["g_adversarial"] / full).item()

    ratios = collect(trainer, IterationEvents.LOSS_COMPLETED, ratio)
    trainer.run()
    assert ratios == pytest.approx([cosine_ramp(iteration, 2, 3) for iteration in range(1, 9)], abs=1e-5)
    assert ratios[:3] == [0, 0, 0]
    assert ratios[5:] == pytest.approx([1, 1, 1])


def test_the_discriminator_learns_while_its_term_waits(make_trainer):
    trainer = make_trainer(adversarial_delay=100)
    before = weights(trainer.discriminator)
    trainer.run()
    assert not torch.equal(before, weights(trainer.discriminator))


def test_gradients_are_clipped(make_trainer):
    free, clipped = make_trainer(), make_trainer(max_grad_norm=1e-3)
    start = weights(clipped.generator)
    norms = collect(clipped, Events.ITERATION_COMPLETED, lambda output: output[0]["g_grad_norm"])
    free.run()
    clipped.run()
    assert (weights(free.generator) - start).norm() > 2.1e-5
    # Two SGD steps of learning rate 0.01 on gradients of norm 0.001.
    assert (weights(clipped.generator) - start).norm() <= 2.1e-5
    assert all(norm > 1e-3 for norm in norms)


def test_the_average_follows_the_generator(make_trainer):
    generator = SRResNet(2, channels=4, num_blocks=1)
    decay = 0.15  # below the shares of the first updates, which follow faster than a decay that is above them
    ema = GeneratorEMA(generator, decay=decay)
    trainer = make_trainer(generator=generator, ema=ema, max_epochs=2)
    history = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: history.append(weights(generator)))
    trainer.run()
    expected = history[0]
    for value in history[1:]:
        expected = decay * expected + (1 - decay) * value
    assert torch.allclose(weights(ema.module), expected, atol=1e-6)
    assert not torch.allclose(weights(ema.module), weights(generator), atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_mixed_precision_trains_like_full_precision(make_trainer, dtype):
    full, mixed = make_trainer(max_epochs=3), make_trainer(max_epochs=3, dtype=dtype)
    seen = []
    mixed.generator.head.register_forward_hook(lambda *arguments: seen.append(arguments[2].dtype))
    mixed.discriminator.features[0].register_forward_hook(lambda *arguments: seen.append(arguments[2].dtype))
    before = weights(mixed.generator)
    full.run()
    mixed.run()
    assert set(seen) == {getattr(torch, dtype)}
    assert mixed.grad_scaler.is_enabled() == (dtype == "float16")
    moved, expected = weights(mixed.generator) - before, weights(full.generator) - before
    assert torch.nn.functional.cosine_similarity(moved, expected, dim=0) > 0.95
    assert mixed.state.output[0]["pred"].dtype == torch.float32


def test_wasserstein_critic_approaches_gradient_norm_one(make_trainer, pairs):
    trainer = make_trainer(
        terms={"pixel": [1.0, nn.L1Loss()], "adversarial": [1e-3, WassersteinLoss()]},
        d_loss=CriticLoss(),
        gradient_penalty=GradientPenalty(10),
        d_steps=5,
        d_lr=1e-2,
        optimizer=lambda parameters, lr: torch.optim.Adam(parameters, lr, betas=(0.0, 0.9)),
        max_epochs=5,
    )
    label = torch.stack([pair["label"] for pair in pairs])

    def penalty():
        fake = trainer.generator(torch.stack([pair["image"] for pair in pairs]))
        return GradientPenalty(1)(trainer.discriminator, label, fake).item()

    before = penalty()
    losses = collect(trainer, Events.ITERATION_COMPLETED, lambda output: output[0]["d_loss"])
    trainer.run()
    assert before > 0.8
    assert penalty() < 0.2
    assert losses[-1] < losses[0]


def test_batch_norm_discriminator_trains(make_trainer):
    trainer = make_trainer(norm="batch", micro_batches=1)
    trainer.run()
    assert all(buffer.isfinite().all() for buffer in trainer.discriminator.buffers())


def test_divergence_stops_with_a_remedy_before_the_weights_are_touched(make_trainer):
    trainer = make_trainer()
    with torch.no_grad():
        trainer.generator.tail.bias.fill_(math.nan)
    before = weights(trainer.discriminator)
    with pytest.raises(MonaiSRError, match=r"d_loss is not finite.*learning rate"):
        trainer.run()
    assert torch.equal(before, weights(trainer.discriminator))


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(make_trainer):
    class Cliff(nn.Module):
        def forward(self, pred, target):
            return (pred - pred).abs().sqrt().mean()

    trainer = make_trainer(terms={"pixel": [1.0, Cliff()], "adversarial": [0.1, AdversarialLoss()]})
    before = weights(trainer.generator)
    with pytest.raises(MonaiSRError, match="g_grad_norm is not finite"):
        trainer.run()
    assert torch.equal(before, weights(trainer.generator))


@pytest.mark.parametrize("argument", ["d_steps", "micro_batches", "max_grad_norm"])
def test_numbers_out_of_range_are_named(make_trainer, argument):
    with pytest.raises(ValueError, match=argument):
        make_trainer(**{argument: 0})


def test_a_loss_without_adversarial_term_is_refused(make_trainer):
    with pytest.raises(ValueError, match="SupervisedTrainer"):
        make_trainer(terms={"pixel": [1.0, nn.MSELoss()]}, d_loss=DiscriminatorLoss())
