"""Weights of positives, against a count by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chestxpert.errors import LabelError
from chestxpert.imbalance.losses import masked_bce
from chestxpert.imbalance.weights import pos_weight, prior_logits


def test_it_is_negatives_over_positives() -> None:
    targets = np.zeros((10, 2), dtype=bool)
    targets[:2, 0] = True
    targets[:5, 1] = True
    assert pos_weight(targets).tolist() == [4.0, 1.0]


def test_unknown_entries_count_on_neither_side() -> None:
    targets = np.array([[True], [True], [False], [False], [False]])
    mask = np.array([[True], [False], [True], [True], [False]])
    assert pos_weight(targets, mask).tolist() == [2.0]


def test_a_column_of_one_kind_weighs_one() -> None:
    targets = np.array([[True, False], [True, False]])
    assert pos_weight(targets).tolist() == [1.0, 1.0]
    assert pos_weight(targets, np.zeros_like(targets)).tolist() == [1.0, 1.0]


@settings(deadline=None, max_examples=50)
@given(pair=st.integers(0, 30).flatmap(lambda n: st.tuples(*[arrays(np.bool_, (n, 4))] * 2)))
def test_it_is_finite_positive_and_balances(pair: tuple[np.ndarray, np.ndarray]) -> None:
    targets, mask = pair
    weights = pos_weight(targets, mask)
    assert weights.dtype == np.float32
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    positives, negatives = (targets & mask).sum(0), (~targets & mask).sum(0)
    both = (positives > 0) & (negatives > 0)
    np.testing.assert_allclose((weights * positives)[both], negatives[both], rtol=1e-6)


def test_at_even_odds_the_gradient_of_the_weighted_loss_vanishes() -> None:
    """What balance means: with the weight, a logit of 0 is the best constant, however rare the positives."""
    targets = np.zeros((50, 1), dtype=bool)
    targets[:3] = True
    logits = torch.zeros(50, 1, requires_grad=True)
    masked_bce(logits, torch.from_numpy(targets), None, torch.from_numpy(pos_weight(targets))).backward()
    assert logits.grad is not None
    assert abs(float(logits.grad.sum())) < 1e-6


def columns(*positives: int, rows: int) -> np.ndarray:
    return np.stack([np.arange(rows) < count for count in positives], axis=1)


def test_the_square_root_of_the_balance_by_hand() -> None:
    assert pos_weight(columns(2, 10, 0, rows=20), kind="sqrt").tolist() == [3.0, 1.0, 1.0]


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.9999])
def test_effective_numbers_are_sums_of_powers(beta: float) -> None:
    """E_n = 1 + beta + ... + beta^(n - 1) (Cui et al., proposition 1); a class weighs 1 / E_n."""
    targets = columns(1, 7, 90, 0, 100, rows=100)
    expected = []
    for column in targets.T:
        positives, negatives = (sum(beta**k for k in range(int(side.sum()))) for side in (column, ~column))
        expected.append(negatives / positives if positives and negatives else 1.0)
    got = pos_weight(targets, kind="effective", beta=beta)
    assert got == pytest.approx(expected, rel=1e-5)
    assert got.dtype == np.float32


def test_effective_numbers_lie_between_no_weights_and_the_balance() -> None:
    targets = columns(3, 40, 500, rows=1000)
    assert pos_weight(targets, kind="effective", beta=0.0).tolist() == [1.0, 1.0, 1.0]
    near = pos_weight(targets, kind="effective", beta=1 - 1e-9)
    assert near == pytest.approx(pos_weight(targets), rel=1e-4)
    between = pos_weight(targets, kind="effective", beta=0.99)
    assert (between[:2] > 1).all()
    assert (between[:2] < near[:2]).all()


@pytest.mark.parametrize("kind", ["sqrt", "effective"])
def test_unknown_entries_count_on_neither_side_of_any_kind(kind: str) -> None:
    targets = columns(3, 40, rows=100)
    known = np.random.default_rng(0).random(targets.shape) < 0.7
    spoilt = np.where(known, targets, ~targets)
    assert pos_weight(spoilt, known, kind=kind).tolist() == pos_weight(targets, known, kind=kind).tolist()


def test_a_mask_of_another_shape_is_an_error() -> None:
    with pytest.raises(LabelError, match=r"\(3, 2\)"):
        pos_weight(np.zeros((3, 2), dtype=bool), np.zeros((3, 1), dtype=bool))


def test_prior_logits_are_log_odds_of_known_entries_times_the_weight() -> None:
    targets = np.array([[1, 0], [0, 0], [0, 1], [0, 0]], dtype=bool)
    mask = np.array([[1, 1], [1, 1], [1, 0], [1, 1]], dtype=bool)
    assert prior_logits(targets, mask) == pytest.approx(np.log([1.5 / 3.5, 0.5 / 3.5]), abs=1e-6)
    balanced = np.array([3.5 / 1.5, 7.0], dtype=np.float32)
    assert prior_logits(targets, mask, balanced) == pytest.approx([0.0, 0.0], abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(pair=st.integers(0, 30).flatmap(lambda n: st.tuples(*[arrays(np.bool_, (n, 4))] * 2)))
def test_weights_and_priors_are_those_of_the_known_rows(pair: tuple[np.ndarray, np.ndarray]) -> None:
    targets, mask = pair
    for function in (pos_weight, prior_logits):
        masked = function(targets, mask)
        np.testing.assert_array_equal(masked, function(targets ^ ~mask, mask))
        for k in range(4):
            np.testing.assert_array_equal(masked[k], function(targets[mask[:, k], k : k + 1])[0])
