"""The weighted sum that a generator minimises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

ADVERSARIAL = "adversarial"


class GeneratorLoss(nn.Module):
    """Weighted sum of named terms, each reported for logging.

    The term named "adversarial" takes the discriminator's logits; every other takes (pred, target).

    Args:
        terms: [weight, loss] by name, such as {"pixel": [1.0, MSELoss()], "adversarial": [0.001,
            AdversarialLoss()]}.

    Raises:
        ValueError: if there is no term, or a weight is not above zero.

    Example:
        >>> loss = GeneratorLoss({"pixel": [2.0, nn.L1Loss()]})
        >>> loss.terms(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
        {'pixel': tensor(2.)}
    """

    def __init__(self, terms: Mapping[str, Sequence[float | nn.Module]]) -> None:
        super().__init__()
        if not terms:
            raise ValueError("terms must hold at least one term; give {'pixel': [1.0, loss]}.")
        self.weights: dict[str, float] = {}
        self.losses = nn.ModuleDict()
        for name, (weight, loss) in terms.items():
            if not isinstance(weight, (int, float)) or not isinstance(loss, nn.Module) or weight <= 0:
                raise ValueError(
                    f"terms[{name!r}] must be [weight above 0, loss module], got [{weight}, {loss}]."
                )
            self.weights[name] = float(weight)
            self.losses[name] = loss

    @property
    def adversarial(self) -> bool:
        """Whether one of the terms needs the discriminator."""
        return ADVERSARIAL in self.losses

    def terms(
        self,
        pred: Tensor,
        target: Tensor,
        fake_logits: Tensor | None = None,
        adversarial_scale: float = 1.0,
    ) -> dict[str, Tensor]:
        """Weighted terms, whose sum is the loss.

        Args:
            pred: generated images, shape (N, C, H, W).
            target: real images, same shape.
            fake_logits: the discriminator's logits of `pred`, shape (N, 1); None leaves the adversarial term
                at 0.
            adversarial_scale: factor on the adversarial term, for its ramp.

        Returns:
            One scalar by name.
        """
        terms = {}
        for name, loss in self.losses.items():
            if name != ADVERSARIAL:
                terms[name] = self.weights[name] * loss(pred, target)
            elif fake_logits is not None:
                terms[name] = adversarial_scale * self.weights[name] * loss(fake_logits)
            else:
                terms[name] = pred.new_zeros(())
        return terms

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Sum of the terms that need no discriminator, for supervised training."""
        return torch.stack(list(self.terms(pred, target).values())).sum()
