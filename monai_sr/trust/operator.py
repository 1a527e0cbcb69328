"""A linear map with its adjoint, and equations with it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

RELATIVE_TOLERANCE = 0.03
"""Of the right-hand side: an outer iteration corrects the rest."""


class LinearOperator:
    """A linear map between images whose adjoint comes by automatic differentiation.

    Args:
        function: linear, from (1, H, W) to (1, h, w), made of differentiable operations.
        shape: (H, W).

    Example:
        >>> operator = LinearOperator(lambda image: 2 * image[:, ::2], (4, 3))
        >>> operator.adjoint(torch.ones(2, 3)).sum(1).tolist()
        [6.0, 0.0, 6.0, 0.0]
    """

    def __init__(self, function: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
        self._function = function
        self._image = torch.zeros(1, *shape, requires_grad=True)
        with torch.enable_grad():
            self._result = function(self._image)

    def forward(self, image: Tensor) -> Tensor:
        """Apply the map.

        Args:
            image: shape (H, W).

        Returns:
            Shape (h, w).
        """
        with torch.no_grad():
            return self._function(image[None])[0]

    def adjoint(self, image: Tensor) -> Tensor:
        """Apply the adjoint.

        Args:
            image: shape (h, w).

        Returns:
            Shape (H, W).
        """
        (gradient,) = torch.autograd.grad(self._result, self._image, image[None], retain_graph=True)
        result: Tensor = gradient[0]
        return result


def conjugate_gradients(operator: Callable[[Tensor], Tensor], right: Tensor, max_iterations: int) -> Tensor:
    """Solve a symmetric positive definite system about.

    Args:
        operator: applies the matrix.
        right: right-hand side, not 0.
        max_iterations: most steps.

    Returns:
        The solution, of the shape of `right`.
    """
    solution, rest = torch.zeros_like(right), right
    direction, square = rest, rest.square().sum()
    enough = RELATIVE_TOLERANCE**2 * square
    for _ in range(max_iterations):
        image = operator(direction)
        length = square / (direction * image).sum()
        solution = solution + length * direction
        rest = rest - length * image
        previous, square = square, rest.square().sum()
        if square <= enough:
            break
        direction = rest + square / previous * direction
    return solution
