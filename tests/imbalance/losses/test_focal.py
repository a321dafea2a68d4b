"""The focal loss, against its formula, torchvision's, and cross-entropy."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest
import torch
from entry_checks import Side, batch, check_far, check_gradient, check_value
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import sigmoid_focal_loss

from chestxpert.imbalance.losses import LossFunction, masked_bce
from chestxpert.imbalance.losses.base import LabelStats
from chestxpert.imbalance.losses.focal import focal

NOBODY = LabelStats(*torch.zeros(2, 5, dtype=torch.float64).numpy())


def loss(gamma: float, alpha: float) -> LossFunction:
    return focal(NOBODY, gamma=gamma, alpha=alpha)


def formula(gamma: float, alpha: float) -> tuple[Side, Side]:
    of_positives, of_negatives = (1, 1) if alpha < 0 else (alpha, 1 - alpha)

    def positive(x: Any, lib: ModuleType) -> Any:
        p = 1 / (1 + lib.exp(-x))
        return -of_positives * (1 - p) ** gamma * lib.log(p)

    def negative(x: Any, lib: ModuleType) -> Any:
        p = 1 / (1 + lib.exp(-x))
        return -of_negatives * p**gamma * lib.log(1 - p)

    return positive, negative


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    mixed=st.booleans(),
    gamma=st.floats(0, 5),
    alpha=st.just(-1.0) | st.floats(0, 1),
)
def test_it_is_the_mean_of_the_formula(seed: int, mixed: bool, gamma: float, alpha: float) -> None:
    check_value(loss(gamma, alpha), *formula(gamma, alpha), seed, mixed)


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.5, -1.0), (5.0, 0.9)])
def test_it_holds_far_out_and_its_gradient_everywhere(gamma: float, alpha: float) -> None:
    check_far(loss(gamma, alpha), *formula(gamma, alpha))
    check_gradient(loss(gamma, alpha), seed=3)


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, 0.5), (3.0, -1.0)])
def test_it_is_torchvisions(gamma: float, alpha: float) -> None:
    x, y, _, _ = batch(1)
    expected = sigmoid_focal_loss(x, y, alpha=alpha, gamma=gamma, reduction="mean")
    assert float(loss(gamma, alpha)(x, y)) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_without_focus_it_is_cross_entropy(seed: int) -> None:
    x, y, known, weight = batch(seed, mixed=True)
    entropy = float(masked_bce(x, y, known, weight))
    assert float(loss(0.0, -1.0)(x, y, known, weight)) == pytest.approx(entropy, rel=1e-5)
    assert float(loss(0.0, 0.5)(x, y, known, weight)) == pytest.approx(entropy / 2, rel=1e-5)


def test_an_even_guess_by_hand() -> None:
    """p_t of 1/2: 0.25 * (1/2)^2 * log 2 of the positive, 0.75 * (1/2)^2 * log 2 of the negative."""
    got = loss(2.0, 0.25)(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    assert float(got) == pytest.approx((0.25 + 0.75) / 4 * math.log(2) / 2, rel=1e-6)
