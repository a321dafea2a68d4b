"""The distribution-balanced loss, against its formula row by row, and the losses it contains."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from entry_checks import batch, check_far, check_gradient
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.imbalance.losses import LabelStats, LossFunction, masked_bce
from chestxpert.imbalance.losses.distribution_balanced import DistributionBalanced, distribution_balanced
from chestxpert.imbalance.losses.focal import focal

COUNTS = np.array([4.0, 20.0, 50.0, 100.0, 300.0])
STATS = LabelStats(COUNTS, 500 - COUNTS)
DEFAULTS = {"map_alpha": 0.1, "map_beta": 10.0, "map_mu": 0.3, "negative_scale": 5.0, "bias": 0.05, "gamma": 2.0}
PLAIN = DEFAULTS | {"map_alpha": 0.5, "map_beta": 0.0, "negative_scale": 1.0, "bias": 0.0, "gamma": 0.0}


def loss(**changed: float) -> LossFunction:
    return distribution_balanced(STATS, **(DEFAULTS | changed))


def by_rows(x: np.ndarray, y: np.ndarray, known: np.ndarray, weight: np.ndarray, s: dict[str, float]) -> float:
    """The paper's formula, an entry at a time."""
    total, count = 0.0, 0
    for row in range(len(x)):
        drawn = sum(y[row, j] / COUNTS[j] for j in range(5) if known[row, j])
        for k in range(5):
            if not known[row, k]:
                continue
            r = (1 / COUNTS[k]) / drawn if drawn > 0 else math.inf
            rebalanced = s["map_alpha"] + (1 / (1 + np.exp(-s["map_beta"] * (r - s["map_mu"]))) if drawn > 0 else 1.0)
            share, scale = (COUNTS[k] + 0.5) / 501, s["negative_scale"]
            moved = x[row, k] - s["bias"] * np.log(1 / share - 1) / scale
            p, q = 1 / (1 + np.exp(-moved)), 1 / (1 + np.exp(-scale * moved))
            positive = -((1 - p) ** s["gamma"]) * np.log(p)
            negative = q ** s["gamma"] * np.logaddexp(0, scale * moved) / scale
            total += rebalanced * (weight[k] * y[row, k] * positive + (1 - y[row, k]) * negative)
            count += 1
    return total / count if count else 0.0


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    mixed=st.booleans(),
    lift=st.floats(0, 1),
    slope=st.floats(0.1, 20),
    scale=st.floats(0.5, 6),
    bias=st.floats(0, 0.5),
    gamma=st.floats(0, 4),
)
def test_it_is_the_mean_of_the_formula(
    seed: int, mixed: bool, lift: float, slope: float, scale: float, bias: float, gamma: float
) -> None:
    x, y, known, weight = batch(seed, mixed=mixed)
    chosen = {"map_alpha": lift, "map_beta": slope, "negative_scale": scale, "bias": bias, "gamma": gamma}
    expected = by_rows(x.numpy(), y.numpy(), known.numpy(), weight.numpy(), DEFAULTS | chosen)
    assert float(loss(**chosen)(x, y, known, weight)) == pytest.approx(expected, rel=1e-7, abs=1e-12)
    single = loss(**chosen)(x.float(), y.float(), known, weight.float())
    assert float(single) == pytest.approx(expected, rel=2e-4, abs=1e-6)


def test_weights_by_hand() -> None:
    """A finding that is alone is what the image was drawn for, r = 1; beside one 25 times as rare, r is 1/26."""
    module = loss()
    assert isinstance(module, DistributionBalanced)
    weights = module.weights(torch.tensor([[0, 0, 0, 1.0, 0], [1.0, 0, 0, 1.0, 0], [0.0, 0, 0, 0, 0]]).double())

    def mapped(r: float) -> float:
        return 0.1 + 1 / (1 + math.exp(-10 * (r - 0.3)))

    assert weights[0, 3].item() == pytest.approx(mapped(1))
    assert weights[0, 0].item() == pytest.approx(mapped(25))
    assert weights[1, [0, 3]].tolist() == pytest.approx([mapped(25 / 26), mapped(1 / 26)])
    assert weights[2].tolist() == pytest.approx([1.1] * 5)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_it_holds_far_out_and_its_gradient_everywhere(gamma: float) -> None:
    def positive(x: Any, lib: ModuleType) -> Any:
        p = 1 / (1 + lib.exp(shift - x))
        return -weight_of_positive * (1 - p) ** gamma * lib.log(p)

    def negative(x: Any, lib: ModuleType) -> Any:
        p = 1 / (1 + lib.exp(-5 * (x - shift)))
        return -1.1 * p**gamma * lib.log(1 - p) / 5

    one = LabelStats(np.array([7.0]), np.array([93.0]))
    shift, weight_of_positive = 0.05 / 5 * math.log(93.5 / 7.5), 0.1 + 1 / (1 + math.exp(-7))
    check_far(distribution_balanced(one, **(DEFAULTS | {"gamma": gamma})), positive, negative)
    check_gradient(distribution_balanced(LabelStats(COUNTS[:3], COUNTS[:3]), **(DEFAULTS | {"gamma": gamma})), seed=6)


def test_with_even_weights_no_bias_and_no_scale_it_is_focal_or_cross_entropy() -> None:
    some = batch(8, mixed=True)
    assert float(distribution_balanced(STATS, **PLAIN)(*some)) == pytest.approx(float(masked_bce(*some)), rel=1e-5)
    focused = distribution_balanced(STATS, **(PLAIN | {"gamma": 2.0}))(*some)
    assert float(focused) == pytest.approx(float(focal(STATS, gamma=2.0, alpha=-1.0)(*some)), rel=1e-9)


def test_what_is_unknown_is_no_reason_to_have_drawn_the_image() -> None:
    x = torch.zeros(1, 5, dtype=torch.float64)
    both = torch.tensor([[1.0, 0, 0, 1.0, 0]])
    frequent = torch.tensor([[0, 0, 0, 1.0, 0]])
    known = torch.tensor([[False, True, True, True, True]])
    assert float(loss()(x, both, known)) == float(loss()(x, frequent, known))
    assert float(loss()(x, both)) != pytest.approx(float(loss()(x, frequent)), rel=0.01)
