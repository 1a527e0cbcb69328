from __future__ import annotations

from functools import partial

import pytest
import torch

from monai_sr.degradation import KERNELS
from monai_sr.trust.operator import LinearOperator, conjugate_gradients


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_adjoint_is_one(kernel):
    operator = LinearOperator(partial(KERNELS[kernel], scale_factor=2), (12, 20))
    finer, coarse = torch.randn(12, 20), torch.randn(6, 10)
    left, right = (operator.forward(finer) * coarse).sum(), (finer * operator.adjoint(coarse)).sum()
    assert float(left) == pytest.approx(float(right), rel=1e-4, abs=1e-4)


def test_a_system_is_solved():
    matrix = torch.randn(6, 6)
    matrix = matrix @ matrix.T + torch.eye(6)
    right = torch.randn(6)
    solution = conjugate_gradients(lambda vector: matrix @ vector, right, 50)
    assert float((matrix @ solution - right).norm()) <= 0.031 * float(right.norm())
