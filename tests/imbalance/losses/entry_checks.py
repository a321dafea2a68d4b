"""Checks of losses that are a sum over entries, against their formula as the paper has it.

A formula is given as the loss of an entry as a positive and as a negative, written with the operators alone and with
`exp` and `log` of the library it is handed: NumPy in float64, or mpmath with 400 digits where float64 has none left.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor

Side = Callable[[Any, ModuleType], Any]

FAR = (-80.0, -40.0, -8.0, -2.0, 0.0, 2.0, 8.0, 40.0, 80.0)  # all of them exact in bfloat16


def batch(seed: int, *, mixed: bool = False, rows: int = 12, columns: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits, targets (between 0 and 1 with `mixed`), known mask and positive weights, in float64."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, columns, generator=generator, dtype=torch.float64) * 4
    targets = (torch.rand(rows, columns, generator=generator) < 0.3).double()
    if mixed:
        share = torch.rand(rows, 1, generator=generator, dtype=torch.float64)
        targets = share * targets + (1 - share) * targets.flip(0)
    known = torch.rand(rows, columns, generator=generator) < 0.7
    return logits, targets, known, torch.rand(columns, generator=generator, dtype=torch.float64) * 9 + 0.5


def entries(x: np.ndarray, y: np.ndarray, weight: np.ndarray | float, positive: Side, negative: Side) -> np.ndarray:
    """(B, M) losses by the formula: y of a positive and 1 - y of a negative."""
    return weight * y * positive(x, np) + (1 - y) * negative(x, np)


def check_value(loss: Callable[..., Tensor], positive: Side, negative: Side, seed: int, mixed: bool) -> None:
    """The loss is the mean of the formula over known entries, in float64 and in float32."""
    x, y, known, weight = batch(seed, mixed=mixed)
    losses = entries(x.numpy(), y.numpy(), weight.numpy(), positive, negative)
    expected = losses[known.numpy()].mean() if known.any() else 0.0
    assert float(loss(x, y, known, weight)) == pytest.approx(expected, rel=1e-7, abs=1e-12)
    assert float(loss(x.float(), y.float(), known, weight.float())) == pytest.approx(expected, rel=1e-4, abs=1e-7)
    plain = entries(x.numpy(), y.numpy(), 1.0, positive, negative).mean()
    assert float(loss(x, y)) == pytest.approx(plain, rel=1e-7, abs=1e-12)


def check_gradient(loss: Callable[..., Tensor], seed: int) -> None:
    """Autograd agrees with finite differences in float64, also for mixed targets."""
    x, y, known, weight = batch(seed, mixed=True, rows=4, columns=3)
    assert torch.autograd.gradcheck(lambda logits: loss(logits, y, known, weight), (x.requires_grad_(),))


def check_far(loss: Callable[..., Tensor], positive: Side, negative: Side, nothing: float = 1e-30) -> None:
    """At logits up to 80, value and gradient in float32 and bfloat16 are those of the formula in 400 digits.

    `nothing` is how large a number may be that the formula has as good as none for: above 1e-30 where the formula
    takes a difference of nearly equal numbers.
    """
    with mpmath.workdps(400):
        for x in FAR:
            for y, side in ((1.0, positive), (0.0, negative)):
                value = float(side(mpmath.mpf(x), mpmath))
                slope = float(mpmath.diff(lambda t, side=side: side(t, mpmath), mpmath.mpf(x), h=mpmath.mpf(10) ** -30))
                for dtype, digits in ((torch.float32, 2e-5), (torch.bfloat16, 5e-3)):
                    logits = torch.full((1, 1), x, dtype=dtype, requires_grad=True)
                    got = loss(logits, torch.full((1, 1), y))
                    got.backward()
                    assert logits.grad is not None
                    assert got.item() == pytest.approx(value, rel=2e-5, abs=nothing), (x, y, dtype)
                    assert logits.grad.item() == pytest.approx(slope, rel=digits, abs=nothing), (x, y, dtype)
