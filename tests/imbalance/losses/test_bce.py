"""The masked loss, against torch's own, the formula in float64, and at the ends of bfloat16."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from chestxpert.imbalance.losses import masked_bce


def batch(seed: int, rows: int = 8, columns: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, columns, generator=generator) * 4
    targets = torch.rand(rows, columns, generator=generator) < 0.3
    mask = torch.rand(rows, columns, generator=generator) < 0.6
    return logits, targets, mask, torch.rand(columns, generator=generator) * 9 + 0.5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weighted", [False, True])
def test_without_a_mask_it_is_torchs_bce(seed: int, weighted: bool) -> None:
    logits, targets, _, weight = batch(seed)
    chosen = weight if weighted else None
    expected = F.binary_cross_entropy_with_logits(logits, targets.float(), pos_weight=chosen)
    torch.testing.assert_close(masked_bce(logits, targets, None, chosen), expected)
    torch.testing.assert_close(masked_bce(logits, targets, torch.ones_like(targets), chosen), expected)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_it_is_the_mean_of_the_formula_over_known_entries(seed: int) -> None:
    logits, targets, mask, weight = batch(seed)
    probs = 1 / (1 + np.exp(-logits.double().numpy()))
    y, w = targets.numpy(), weight.double().numpy()
    entries = -(w * y * np.log(probs) + (1 - y) * np.log1p(-probs))
    expected = entries[mask.numpy()].mean() if mask.any() else 0.0
    assert float(masked_bce(logits, targets, mask, weight)) == pytest.approx(expected, rel=1e-5, abs=1e-7)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_unknown_entries_have_neither_loss_nor_gradient(seed: int) -> None:
    logits, targets, mask, weight = batch(seed)
    spoilt = logits.masked_fill(~mask, math.inf).requires_grad_()
    loss = masked_bce(spoilt, targets ^ ~mask, mask, weight)
    assert loss.item() == float(masked_bce(logits, targets, mask, weight))
    loss.backward()
    assert spoilt.grad is not None
    assert torch.isfinite(spoilt.grad).all()
    assert (spoilt.grad[~mask] == 0).all()


@pytest.mark.parametrize("rows", [0, 4])
def test_nothing_known_is_zero_and_not_nan(rows: int) -> None:
    logits = torch.full((rows, 3), 80.0, requires_grad=True)
    loss = masked_bce(logits, torch.zeros(rows, 3), torch.zeros(rows, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert (logits.grad == 0).all()
    assert float(masked_bce(torch.zeros(0, 3), torch.zeros(0, 3))) == 0.0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("size", [80.0, 30.0])
def test_large_logits_keep_value_and_gradient(dtype: torch.dtype, size: float) -> None:
    """At +-80 a sigmoid is 0 or 1 in bfloat16; the loss must still be 80 on the wrong side and push back by 1."""
    logits = torch.tensor([[size, -size, size, -size]], dtype=dtype, requires_grad=True)
    targets = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    loss = masked_bce(logits, targets, torch.ones(1, 4, dtype=torch.bool))
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(2 * size / 4)
    assert logits.grad is not None
    assert logits.grad.float().tolist()[0] == pytest.approx([0.25, -0.25, 0.0, 0.0], abs=1e-6)


def test_it_stays_in_float32_under_autocast() -> None:
    logits, targets, mask, weight = batch(0)
    plain = masked_bce(logits, targets, mask, weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = masked_bce(logits, targets, mask, weight)
    assert cast.dtype == torch.float32
    assert float(cast) == float(plain)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), weighted=st.booleans())
def test_it_is_torchs_bce_of_the_known_entries_alone(seed: int, weighted: bool) -> None:
    """Masking is dropping: value and gradient are those of a list of the known entries, in any order."""
    logits, targets, mask, weight = batch(seed)
    one, other = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    masked_bce(one, targets, mask, weight if weighted else None).backward()
    each = weight.expand_as(logits)[mask] if weighted else None
    if mask.any():
        F.binary_cross_entropy_with_logits(other[mask], targets[mask].float(), pos_weight=each).backward()
    assert one.grad is not None
    assert other.grad is not None or not mask.any()
    expected = torch.zeros_like(logits) if other.grad is None else other.grad
    torch.testing.assert_close(one.grad, expected)
    assert (one.grad[~mask] == 0).all()
