"""Adversarial training of a super-resolution generator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from monai.engines import Trainer
from monai.engines.utils import IterationEvents, default_metric_cmp_fn, default_prepare_batch
from monai.utils import CommonKeys, convert_to_tensor
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from monai_sr.engines.autocast_inferer import autocast, parse_dtype
from monai_sr.engines.ema import unwrap
from monai_sr.engines.ramp import cosine_ramp
from monai_sr.errors import MonaiSRError
from monai_sr.losses import GeneratorLoss, GradientPenalty

Part = tuple[Tensor, Tensor]


class AdversarialTrainer(Trainer):
    """Train a generator (image to pred) against a discriminator that sees `label` as real and `pred` as fake.

    Each iteration updates the discriminator `d_steps` times and then the generator once, on one batch. The
    generator comes warm-started: pass the very object that a supervised stage has trained.

    `engine.state.output` holds `image`, `label`, `pred`, `loss` (the generator's), its terms as `g_<name>`,
    `d_loss`, `real_logits`, `fake_logits`, `g_grad_norm` and `d_grad_norm`; modules stay out of the state.
    MONAI's iteration events fire for the generator's update, whose output they see.

    Args:
        device: where the networks are and the batches go.
        max_epochs: epochs to train.
        train_data_loader: batches with `image` (N, C, H, W) and `label` (N, C, s·H, s·W).
        generator: network to train, data-parallel or not.
        g_optimizer: its optimizer.
        g_loss: its weighted terms, one of them "adversarial".
        discriminator: network from images to logits (N, 1), data-parallel or not.
        d_optimizer: its optimizer; a smaller learning rate than the generator's steadies training.
        d_loss: loss of (real_logits, fake_logits), such as `DiscriminatorLoss` or `CriticLoss`.
        gradient_penalty: added to `d_loss`, for a Wasserstein critic.
        d_steps: discriminator updates for each of the generator; WGAN-GP's is 5.
        adversarial_delay: iterations before the adversarial term starts to count; the discriminator learns.
        adversarial_ramp: iterations over which it then rises to its weight, as half a cosine wave.
        ema: running average of the generator, updated after it.
        dtype: "float32", or "bfloat16" or "float16" (with scaled gradients) for mixed precision.
        max_grad_norm: clip each network's gradient to this norm; None does not clip.
        micro_batches: parts in which each batch is computed, to save memory; gradients accumulate to those
            of the whole batch (batch norm apart, which sees the parts).
        epoch_length: iterations in an epoch, by default the length of the data loader.
        non_blocking: copy batches to the device asynchronously.
        prepare_batch: from a batch to (image, label).
        postprocessing: transform of the decollated output.
        key_train_metric: metric of the training batches, by name.
        additional_metrics: more of them.
        metric_cmp_fn: whether a metric is better than the best so far.
        train_handlers: handlers to attach.
        decollate: split batch and output into lists of items after each iteration.

    Raises:
        ValueError: if a number is out of range, or no term of `g_loss` is adversarial.
        MonaiSRError: while running, if a loss is not finite.

    Reference:
        Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
        Network", CVPR 2017, https://arxiv.org/abs/1609.04802
    """

    def __init__(
        self,
        device: torch.device | str,
        max_epochs: int,
        train_data_loader: Iterable[Any] | DataLoader[Any],
        generator: nn.Module,
        g_optimizer: Optimizer,
        g_loss: GeneratorLoss,
        discriminator: nn.Module,
        d_optimizer: Optimizer,
        d_loss: nn.Module,
        gradient_penalty: GradientPenalty | None = None,
        d_steps: int = 1,
        adversarial_delay: int = 0,
        adversarial_ramp: int = 0,
        ema: AveragedModel | None = None,
        dtype: str = "float32",
        max_grad_norm: float | None = None,
        micro_batches: int = 1,
        epoch_length: int | None = None,
        non_blocking: bool = False,
        prepare_batch: Callable[..., Any] = default_prepare_batch,
        postprocessing: Callable[..., Any] | None = None,
        key_train_metric: dict[str, Metric] | None = None,
        additional_metrics: dict[str, Metric] | None = None,
        metric_cmp_fn: Callable[..., bool] = default_metric_cmp_fn,
        train_handlers: Sequence[Any] | None = None,
        decollate: bool = True,
    ) -> None:
        for name, value, least in (
            ("d_steps", d_steps, 1),
            ("micro_batches", micro_batches, 1),
            ("adversarial_delay", adversarial_delay, 0),
            ("adversarial_ramp", adversarial_ramp, 0),
        ):
            if value < least:
                raise ValueError(f"{name} must be {least} or more, got {value}.")
        if max_grad_norm is not None and max_grad_norm <= 0:
            raise ValueError(f"max_grad_norm must be above 0, got {max_grad_norm}; None does not clip.")
        if not g_loss.adversarial:
            raise ValueError(
                "g_loss must have a term 'adversarial'; without one, use MONAI's SupervisedTrainer."
            )
        super().__init__(
            device=device,
            max_epochs=max_epochs,
            data_loader=train_data_loader,
            epoch_length=epoch_length,
            non_blocking=non_blocking,
            prepare_batch=prepare_batch,
            postprocessing=postprocessing,
            key_metric=key_train_metric,
            additional_metrics=additional_metrics,
            metric_cmp_fn=metric_cmp_fn,
            handlers=train_handlers,
            decollate=decollate,
        )
        self.generator = generator
        self.g_optimizer = g_optimizer
        self.g_loss = g_loss
        self.discriminator = discriminator
        self.d_optimizer = d_optimizer
        self.d_loss = d_loss
        self.gradient_penalty = gradient_penalty
        self.d_steps = d_steps
        self.adversarial_delay = adversarial_delay
        self.adversarial_ramp = adversarial_ramp
        self.ema = ema
        self.dtype = parse_dtype(dtype)
        self.max_grad_norm = float("inf") if max_grad_norm is None else max_grad_norm
        self.micro_batches = micro_batches
        self.grad_scaler = torch.amp.GradScaler(self.state.device.type, enabled=self.dtype == torch.float16)

    def _iteration(self, engine: Engine, batchdata: Any) -> dict[str, Any]:
        """Update the discriminator, then the generator, on one batch."""
        if batchdata is None:
            raise ValueError("The data loader gave no batch; check train_data_loader.")
        image, label = self.prepare_batch(batchdata, self.state.device, self.non_blocking)
        self.state.output = {CommonKeys.IMAGE: image, CommonKeys.LABEL: label}
        # Plain tensors: metadata carried through two networks and their gradients costs much.
        images: Tensor = convert_to_tensor(image, track_meta=False)
        labels: Tensor = convert_to_tensor(label, track_meta=False)
        parts = list(zip(images.chunk(self.micro_batches), labels.chunk(self.micro_batches), strict=True))
        self.generator.train()
        self.discriminator.train()
        # A single part keeps its graph for the generator's update; several would need the memory of all.
        with torch.set_grad_enabled(len(parts) == 1):
            fakes = [self._generate(image) for image, _ in parts]
        for _ in range(self.d_steps):
            self._update_discriminator(parts, fakes)
        self._update_generator(parts, fakes)
        if self.ema is not None:
            self.ema.update_parameters(self.generator)
        self.fire_event(IterationEvents.MODEL_COMPLETED)
        output: dict[str, Any] = self.state.output
        return output

    def _generate(self, image: Tensor) -> Tensor:
        with autocast(image.device, self.dtype):
            fake: Tensor = self.generator(image)
        return fake.float()

    def _judge(self, discriminator: nn.Module, image: Tensor) -> Tensor:
        with autocast(image.device, self.dtype):
            logits: Tensor = discriminator(image)
        return logits.float()

    def _update_discriminator(self, parts: list[Part], fakes: list[Tensor]) -> None:
        """One step on all parts; the last one's loss, logits and gradient norm go to the output."""
        self.d_optimizer.zero_grad()
        total, judged = torch.zeros((), device=self.state.device), []
        for (_, real), fake in zip(parts, fakes, strict=True):
            real_logits = self._judge(self.discriminator, real)
            fake_logits = self._judge(self.discriminator, fake.detach())
            loss = self.d_loss(real_logits, fake_logits)
            if self.gradient_penalty is not None:
                loss = loss + self.gradient_penalty(self.discriminator, real, fake)
            loss = loss * _share(real, parts)
            self.grad_scaler.scale(loss).backward()
            total += loss.detach()
            judged.append((real_logits.detach(), fake_logits.detach()))
        self._require_finite({"d_loss": total})
        self.state.output["d_loss"] = total
        self.state.output["real_logits"], self.state.output["fake_logits"] = map(
            torch.cat, zip(*judged, strict=True)
        )
        self._step("d", self.d_optimizer)

    def _update_generator(self, parts: list[Part], fakes: list[Tensor]) -> None:
        """One step on all parts; MONAI's events fire on the last, when the output is complete."""
        scale = cosine_ramp(self.state.iteration, self.adversarial_delay, self.adversarial_ramp)
        # The bare discriminator: gradients pass through it, and none is to be shared between processes.
        discriminator = unwrap(self.discriminator)
        output = self.state.output
        preds: list[Tensor] = []
        totals: dict[str, Tensor] = {}
        self.g_optimizer.zero_grad()
        with _frozen(discriminator):
            for index, (image, real) in enumerate(parts, start=1):
                pred = fakes[0] if len(parts) == 1 else self._generate(image)
                preds.append(pred.detach())
                if index == len(parts):
                    output[CommonKeys.PRED] = torch.cat(preds)
                    self.fire_event(IterationEvents.FORWARD_COMPLETED)
                logits = self._judge(discriminator, pred) if scale > 0 else None
                terms = self.g_loss.terms(pred, real, logits, scale)
                share = _share(real, parts)
                for name, term in terms.items():
                    totals[f"g_{name}"] = totals.get(f"g_{name}", 0) + term.detach() * share
                if index == len(parts):
                    self._require_finite(totals)
                    output[CommonKeys.LOSS] = torch.stack(list(totals.values())).sum()
                    output.update(totals)
                    self.fire_event(IterationEvents.LOSS_COMPLETED)
                loss = torch.stack(list(terms.values())).sum() * share
                self.grad_scaler.scale(loss).backward()
        self.fire_event(IterationEvents.BACKWARD_COMPLETED)
        self._step("g", self.g_optimizer)

    def _step(self, player: str, optimizer: Optimizer) -> None:
        """Clip and apply a player's gradients; the norm they had goes to the output."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.grad_scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(parameters, self.max_grad_norm)
        self.state.output[f"{player}_grad_norm"] = norm
        # The scaler skips a step that overflowed and tries a smaller scale; without one it is the end.
        if not self.grad_scaler.is_enabled():
            self._require_finite({f"{player}_grad_norm": norm})
        self.grad_scaler.step(optimizer)
        self.grad_scaler.update()

    def _require_finite(self, losses: dict[str, Tensor]) -> None:
        broken = [name for name, loss in losses.items() if not torch.isfinite(loss)]
        if broken:
            raise MonaiSRError(
                f"Training diverged: {', '.join(broken)} is not finite in iteration {self.state.iteration}; "
                "resume from the last checkpoint with a lower learning rate, with max_grad_norm, or with "
                "dtype bfloat16 instead of float16."
            )


def _share(part: Tensor, parts: list[Part]) -> float:
    return len(part) / sum(len(real) for _, real in parts)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Keep gradients out of a network's parameters, which they pass through."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
