from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.thresholds import FALLBACK, best_f1_threshold, f1_thresholds, node_thresholds
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(hnp.arrays(np.bool_, n), hnp.arrays(np.float64, n, elements=st.floats(0, 1)))
    )
)
def test_no_threshold_does_better(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, scores = case
    chosen = best_f1_threshold(truth, scores)
    if not truth.any():
        assert chosen is None
        return
    assert chosen is not None
    best = max(f1_score(truth, scores >= candidate) for candidate in np.unique(scores))
    assert f1_score(truth, scores >= chosen) == pytest.approx(best, abs=1e-12)
    assert scores.min() <= chosen <= scores.max()


def test_threshold_lies_half_way_between_kept_and_left_out() -> None:
    assert best_f1_threshold([True, True, False, False], [0.9, 0.8, 0.4, 0.1]) == pytest.approx(0.6)


def test_threshold_that_keeps_everything_is_the_lowest_score() -> None:
    assert best_f1_threshold([False, True], [0.7, 0.2]) == 0.2


def test_of_equally_good_thresholds_the_highest_is_taken() -> None:
    # One of one found, or two of two found with two false alarms: F1 is 2/3 both times.
    assert best_f1_threshold([True, False, False, True], [0.9, 0.6, 0.5, 0.4]) == pytest.approx(0.75)


def test_a_close_call_between_few_and_many_is_counted_right() -> None:
    """One of five found at the first image is an F1 of 1/3, three of them among twelve images one of 6/17."""
    truth = np.array([1, *[0] * 9, 1, 1, *[0] * 30, 1, 1], dtype=bool)
    chosen = best_f1_threshold(truth, np.linspace(1, 0, len(truth)))
    assert (np.linspace(1, 0, len(truth)) >= chosen).sum() == 12


def test_neighbouring_floats_are_still_told_apart() -> None:
    low = 0.3
    high = np.nextafter(low, 1)
    chosen = best_f1_threshold([True, False], [high, low])
    assert chosen == high


def test_a_finding_without_validation_positives_falls_back_and_says_so() -> None:
    truth = np.array([[True, False], [False, False]])
    chosen = f1_thresholds(truth, np.array([[0.8, 0.8], [0.2, 0.2]]))
    assert chosen.values.tolist() == [0.5, FALLBACK]
    assert chosen.fallback.tolist() == [False, True]


def test_decisions_are_positive_from_the_threshold_upwards() -> None:
    chosen = f1_thresholds(np.array([[True], [True]]), np.array([[0.25], [0.75]]))
    assert chosen.values.tolist() == [0.25]
    assert chosen.decide([[0.25], [0.2499]]).tolist() == [[True], [False]]


def test_nodes_are_tuned_only_where_their_parent_holds(tree: Taxonomy) -> None:
    rng = np.random.default_rng(3)
    labels = np.zeros((60, 15), dtype=bool)
    labels[:, :14] = rng.random((60, 14)) < 0.15
    labels[:, 14] = ~labels[:, :14].any(axis=1)
    given_parent = rng.random((60, len(tree.nodes)))
    before = node_thresholds(labels, given_parent, tree)
    changed = np.where(tree.mask(labels), given_parent, rng.random(given_parent.shape))
    np.testing.assert_array_equal(node_thresholds(labels, changed, tree).values, before.values)
    minority = tree.nodes.index("minority")
    asked = ~labels[:, NIH15.index("No Finding")]
    expected = best_f1_threshold(tree.targets(labels)[asked, minority], given_parent[asked, minority])
    assert before.values[minority] == expected


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(PredictionsError, match=r"\(2, 1\), \(3, 1\)"):
        f1_thresholds(np.zeros((2, 1)), np.zeros((3, 1)))


def test_nodes_are_tuned_on_what_is_known(tree: Taxonomy, hide: Callable[..., np.ndarray]) -> None:
    rng = np.random.default_rng(5)
    labels = np.zeros((90, 15), dtype=bool)
    labels[:, :14] = rng.random((90, 14)) < 0.15
    labels[:, 14] = ~labels[:, :14].any(axis=1)
    known, given_parent = hide(labels, NIH15, 0.3), rng.random((90, len(tree.nodes)))
    chosen = node_thresholds(labels, given_parent, tree, known)
    np.testing.assert_array_equal(chosen.values, node_thresholds(labels ^ ~known, given_parent, tree, known).values)
    mask, targets = tree.mask(labels, known), tree.targets(labels, known)
    for column in range(len(tree.nodes)):
        rows = mask[:, column]
        expected = best_f1_threshold(targets[rows, column], given_parent[rows, column])
        assert chosen.values[column] == (FALLBACK if expected is None else expected)
        assert chosen.fallback[column] == (expected is None)
