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
