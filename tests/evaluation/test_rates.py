from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import label_ranking_loss, matthews_corrcoef, recall_score

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.rates import Counts, image_ranking_losses, mcc, ranking_loss, specificity

CASES = st.tuples(st.integers(1, 25), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(*(hnp.arrays(np.bool_, shape) for _ in range(3)))
)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_rates_are_scikit_learns_on_the_known_images(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    truth, decisions, known = case
    found = (mcc(truth, decisions, known), specificity(truth, decisions, known))
    found_share = Counts.of(truth, decisions, known).sensitivity()
    for label in range(truth.shape[1]):
        rows = known[:, label]
        held, decided = truth[rows, label], decisions[rows, label]
        both = held.any() and not held.all()
        assert found[0][label] == pytest.approx(matthews_corrcoef(held, decided) if both else np.nan, nan_ok=True)
        share = recall_score(held, decided, zero_division=np.nan) if held.any() else np.nan
        assert found_share[label] == pytest.approx(share, nan_ok=True)
        left_alone = recall_score(~held, ~decided, zero_division=np.nan) if (~held).any() else np.nan
        assert found[1][label] == pytest.approx(left_alone, nan_ok=True)
    assert (mcc(truth, ~decisions, known) == pytest.approx(-found[0], nan_ok=True)) or not known.any()


def test_rates_by_hand() -> None:
    truth = np.array([[1, 1, 1, 0, 0, 0, 0, 0, 0, 0]], dtype=bool).T
    decisions = np.array([[1, 1, 0, 1, 0, 0, 0, 0, 0, 0]], dtype=bool).T
    counts = Counts.of(truth, decisions)
    assert counts.sensitivity().tolist() == [pytest.approx(2 / 3)]
    assert counts.specificity().tolist() == [pytest.approx(6 / 7)]
    assert counts.mcc().tolist() == [pytest.approx((2 * 6 - 1 * 1) / math.sqrt(3 * 3 * 7 * 7))]


def test_decisions_that_are_all_alike_correlate_with_nothing() -> None:
    truth = np.array([[True], [False]])
    assert mcc(truth, np.ones_like(truth)).tolist() == [0.0]
    assert math.isnan(mcc(truth[:1], truth[:1])[0])


def test_counts_in_draws_are_those_of_repeated_rows() -> None:
    rng = np.random.default_rng(1)
    truth, decisions, known = (rng.random((40, 3)) < share for share in (0.3, 0.4, 0.8))
    draws = PatientDraws.draw([str(number // 3) for number in range(40)], 15, 0)
    drawn = Counts.of(truth, decisions, known, draws)
    for draw, weights in enumerate(draws.counts[:, draws.patient_of_image]):
        rows = np.repeat(np.arange(40), weights)
        plain = Counts.of(truth[rows], decisions[rows], known[rows])
        for name in ("sensitivity", "specificity", "mcc"):
            np.testing.assert_allclose(getattr(drawn, name)()[draw], getattr(plain, name)(), err_msg=name)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 12), st.integers(2, 6)).flatmap(
        lambda shape: st.tuples(
            hnp.arrays(np.bool_, shape), hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.2, 0.5, 0.9]))
        )
    )
)
def test_ranking_loss_is_scikit_learns_where_there_is_a_pair_to_rank(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probs = case
    rankable = truth.any(axis=1) & ~truth.all(axis=1)
    assert (~np.isnan(image_ranking_losses(truth, probs))).tolist() == rankable.tolist()
    expected = label_ranking_loss(truth[rankable], probs[rankable]) if rankable.any() else np.nan
    assert ranking_loss(truth, probs) == pytest.approx(expected, nan_ok=True)


def test_unknown_labels_are_in_no_pair() -> None:
    truth = np.array([[True, False, False]])
    probs = np.array([[0.5, 0.9, 0.1]])
    assert ranking_loss(truth, probs) == 0.5
    assert ranking_loss(truth, probs, np.array([[True, False, True]])) == 0
    assert math.isnan(ranking_loss(truth, probs, np.array([[False, True, True]])))
