"""The robust asymmetric loss, against the formula of its authors' code."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from entry_checks import Side, batch, check_far, check_gradient, check_value
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.imbalance.losses import LabelStats, LossFunction
from chestxpert.imbalance.losses.asymmetric import asymmetric
from chestxpert.imbalance.losses.robust_asymmetric import robust_asymmetric

NOBODY = LabelStats(*torch.zeros(2, 5, dtype=torch.float64).numpy())
DEFAULTS = {"gamma_pos": 0.0, "gamma_neg": 4.0, "margin": 0.05, "hill": 1.5, "first": 1.0, "second": -2.5}


def loss(**chosen: float) -> LossFunction:
    return robust_asymmetric(NOBODY, **chosen)


def formula(
    gamma_pos: float, gamma_neg: float, margin: float, hill: float, first: float, second: float
) -> tuple[Side, Side]:
    def positive(x: Any, lib: ModuleType) -> Any:
        p = 1 / (1 + lib.exp(-x))
        return -((1 - p) ** gamma_pos) * (lib.log(p) + first * (1 - p) + second / 2 * (1 - p) ** 2)

    def negative(x: Any, lib: ModuleType) -> Any:
        p = 1 / (1 + lib.exp(-x))
        shifted = (p - margin) * (p > margin)
        rest = 1 - shifted
        return -(shifted**gamma_neg) * lib.log(rest) * (hill - p) * p**2 * (hill - rest)

    return positive, negative


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    mixed=st.booleans(),
    powers=st.tuples(st.floats(0, 4), st.floats(0, 5)),
    margin=st.just(0.0) | st.floats(0.01, 0.4),
    hill=st.floats(1, 3),
    terms=st.tuples(st.floats(-2, 1), st.floats(-4, 1)),
)
def test_it_is_the_mean_of_the_formula(
    seed: int,
    mixed: bool,
    powers: tuple[float, float],
    margin: float,
    hill: float,
    terms: tuple[float, float],
) -> None:
    chosen = dict(zip(DEFAULTS, (*powers, margin, hill, *terms), strict=True))
    check_value(loss(**chosen), *formula(**chosen), seed, mixed)


@pytest.mark.parametrize("changed", [{}, {"gamma_pos": 1.0, "margin": 0.0}, {"gamma_neg": 0.5, "second": 1.0}])
def test_it_holds_far_out_and_its_gradient_everywhere(changed: dict[str, float]) -> None:
    chosen = DEFAULTS | changed
    check_far(loss(**chosen), *formula(**chosen), nothing=1e-9)
    check_gradient(loss(**chosen), seed=7)


def test_without_its_terms_positives_are_those_of_the_asymmetric_loss() -> None:
    x, _, known, weight = batch(1)
    everyone = torch.ones_like(x)
    plain = asymmetric(NOBODY, gamma_pos=1.0, gamma_neg=4.0, margin=0.05)(x, everyone, known, weight)
    got = loss(**(DEFAULTS | {"gamma_pos": 1.0, "first": 0.0, "second": 0.0}))(x, everyone, known, weight)
    assert float(got) == pytest.approx(float(plain), rel=1e-9)


def test_the_likelier_a_negative_the_weaker_it_is_held_against_the_asymmetric_loss() -> None:
    """What 'robust' is: near p of 1, a label that is probably missing, the push is a fraction of ASL's."""
    ratios = []
    for logit in (2.0, 4.0, 8.0):
        slopes = []
        for function in (loss(**DEFAULTS), asymmetric(NOBODY, gamma_pos=0.0, gamma_neg=4.0, margin=0.0)):
            x = torch.tensor([[logit]], dtype=torch.float64, requires_grad=True)
            function(x, torch.zeros(1, 1)).backward()
            assert x.grad is not None
            slopes.append(float(x.grad))
        ratios.append(slopes[0] / slopes[1])
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 0.1


def test_an_even_guess_by_hand() -> None:
    got = loss(**DEFAULTS)(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    positive = math.log(2) - 0.5 + 1.25 * 0.25
    negative = 0.45**4 * -math.log(0.55) * (1.5 - 0.5) * 0.25 * (1.5 - 0.55)
    assert float(got) == pytest.approx((positive + negative) / 2, rel=1e-6)


@pytest.mark.parametrize("second", [-2.5, 0.0, 1.0])
def test_a_positive_is_never_better_off_for_being_less_likely(second: float) -> None:
    x = torch.linspace(-20, 20, 400, dtype=torch.float64)[:, None]
    losses = [float(loss(**(DEFAULTS | {"second": second}))(one[None], torch.ones(1, 1))) for one in x]
    assert np.all(np.diff(losses) <= 1e-12)
