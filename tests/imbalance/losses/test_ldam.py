"""LDAM, against its formula, margins by hand, and cross-entropy."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from entry_checks import Side, batch, check_far, check_gradient, entries
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.imbalance.losses import LabelStats, masked_bce
from chestxpert.imbalance.losses.ldam import ldam, margins

COUNTS = np.array([141.0, 876.0, 1378.0, 13782.0, 50500.0])
NIH = LabelStats(COUNTS, 86524 - COUNTS)


def test_margins_by_hand() -> None:
    """A sixteenth of the images, twice the margin; what is nowhere positive does not count as the rarest."""
    assert margins(np.array([1600.0, 100.0, 0.0]), 0.5) == pytest.approx([0.25, 0.5, 0.5])
    assert margins(np.array([0.0, 0.0]), 0.5) == pytest.approx([0.5, 0.5])
    assert margins(COUNTS, 0.5)[-1] == pytest.approx(0.5 * (141 / 50500) ** 0.25)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), mixed=st.booleans(), largest=st.floats(0, 2), scale=st.floats(0.1, 40))
def test_it_is_the_mean_of_the_formula(seed: int, mixed: bool, largest: float, scale: float) -> None:
    """The published form, on scores that the scale makes logits of: BCE(scale (z - D y), y)."""
    x, y, known, weight = batch(seed, mixed=mixed)
    scores, margin = x.numpy() / scale, largest * COUNTS.min() ** 0.25 / COUNTS**0.25

    def positive(z: Any, lib: ModuleType) -> Any:
        return lib.logaddexp(0, -scale * (z - margin))

    def negative(z: Any, lib: ModuleType) -> Any:
        return lib.logaddexp(0, scale * z)

    losses = entries(scores, y.numpy(), weight.numpy(), positive, negative)[known.numpy()]
    expected = losses.mean() if losses.size else 0.0
    loss = ldam(NIH, max_margin=largest, scale=scale)
    assert float(loss(x, y, known, weight)) == pytest.approx(expected, rel=1e-7, abs=1e-12)
    assert float(loss(x.float(), y.float(), known, weight.float())) == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_it_holds_far_out_and_its_gradient_everywhere() -> None:
    def sides(margin: float) -> tuple[Side, Side]:
        return lambda x, lib: lib.log(1 + lib.exp(margin - x)), lambda x, lib: lib.log(1 + lib.exp(x))

    one = LabelStats(np.array([7.0]), np.array([93.0]))
    check_far(ldam(one, max_margin=0.5, scale=30.0), *sides(15.0))
    check_far(ldam(one, max_margin=0.5, scale=1.0), *sides(0.5))
    check_gradient(ldam(LabelStats(COUNTS[:3], COUNTS[:3]), max_margin=0.5, scale=30.0), seed=2)


@pytest.mark.parametrize(("largest", "scale"), [(0.0, 1.0), (0.0, 30.0)])
def test_without_a_margin_it_is_cross_entropy(largest: float, scale: float) -> None:
    some = batch(4, mixed=True)
    got = ldam(NIH, max_margin=largest, scale=scale)(*some)
    assert float(got) == pytest.approx(float(masked_bce(*some)), rel=1e-5)


def test_a_rare_positive_at_its_margin_is_an_even_guess() -> None:
    x = torch.tensor([[15.0, 0.0, 0.0, 0.0, 0.0]])
    only = torch.tensor([[True, False, False, False, False]])
    got = ldam(NIH, max_margin=0.5, scale=30.0)(x, torch.ones(1, 5), only)
    assert float(got) == pytest.approx(math.log(2), rel=1e-6)
