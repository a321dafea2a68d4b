"""The asymmetric loss, against its formula and the losses it contains."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest
import torch
from entry_checks import Side, batch, check_far, check_gradient, check_value
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.imbalance.losses import LabelStats, LossFunction, masked_bce
from chestxpert.imbalance.losses.asymmetric import asymmetric
from chestxpert.imbalance.losses.focal import focal

NOBODY = LabelStats(*torch.zeros(2, 5, dtype=torch.float64).numpy())


def loss(gamma_pos: float, gamma_neg: float, margin: float) -> LossFunction:
    return asymmetric(NOBODY, gamma_pos=gamma_pos, gamma_neg=gamma_neg, margin=margin)


def formula(gamma_pos: float, gamma_neg: float, margin: float) -> tuple[Side, Side]:
    def positive(x: Any, lib: ModuleType) -> Any:
        p = 1 / (1 + lib.exp(-x))
        return -((1 - p) ** gamma_pos) * lib.log(p)

    def negative(x: Any, lib: ModuleType) -> Any:
        p = 1 / (1 + lib.exp(-x)) - margin
        shifted = p * (p > 0)
        return -(shifted**gamma_neg) * lib.log(1 - shifted)

    return positive, negative


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    mixed=st.booleans(),
    powers=st.tuples(st.floats(0, 5), st.floats(0, 5)),
    margin=st.just(0.0) | st.floats(0.01, 0.4),
)
def test_it_is_the_mean_of_the_formula(seed: int, mixed: bool, powers: tuple[float, float], margin: float) -> None:
    check_value(loss(*powers, margin), *formula(*powers, margin), seed, mixed)


@pytest.mark.parametrize("chosen", [(0.0, 4.0, 0.05), (1.0, 4.0, 0.0), (2.0, 0.5, 0.2), (0.0, 0.0, 0.0)])
def test_it_holds_far_out_and_its_gradient_everywhere(chosen: tuple[float, float, float]) -> None:
    check_far(loss(*chosen), *formula(*chosen), nothing=1e-9)
    check_gradient(loss(*chosen), seed=5)


@pytest.mark.parametrize("seed", range(3))
def test_with_equal_powers_and_no_margin_it_is_focal_and_with_none_cross_entropy(seed: int) -> None:
    some = batch(seed, mixed=True)
    assert float(loss(0, 0, 0)(*some)) == pytest.approx(float(masked_bce(*some)), rel=1e-5)
    assert float(loss(2, 2, 0)(*some)) == pytest.approx(float(focal(NOBODY, gamma=2, alpha=-1)(*some)), rel=1e-9)


@pytest.mark.parametrize("gamma_neg", [0.0, 0.5, 1.0, 4.0])
def test_negatives_below_the_margin_are_dropped(gamma_neg: float) -> None:
    at_margin = math.log(0.05 / 0.95)
    logits = torch.tensor([[at_margin - 0.01, -80.0, at_margin + 0.01]], requires_grad=True)
    value = loss(0.0, gamma_neg, 0.05)(logits, torch.zeros(1, 3))
    value.backward()
    assert logits.grad is not None
    assert logits.grad[0, :2].tolist() == [0.0, 0.0]
    assert logits.grad[0, 2] > 0


def test_an_even_guess_by_hand() -> None:
    """p of 1/2: log 2 of the positive; 0.45^4 * -log 0.55 of the negative."""
    got = loss(0.0, 4.0, 0.05)(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    assert float(got) == pytest.approx((math.log(2) - 0.45**4 * math.log(0.55)) / 2, rel=1e-6)
