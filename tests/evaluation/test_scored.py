from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.scored import Operating, Scored
from chestxpert.evaluation.thresholds import best_f1_threshold, node_thresholds
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy

MakePredictions = Callable[..., Predictions]


def with_another_test_set(cohort: Cohort, predictions: Predictions) -> tuple[Cohort, Predictions]:
    """The same validation side, and a test side whose labels and predictions are all different."""
    table, frame = cohort.table.copy(), predictions.frame.copy()
    test = cohort.rows("test")
    labels = table[list(NIH15.labels)].to_numpy().copy()
    labels[test] = np.roll(labels[test], 1, axis=0)
    table[list(NIH15.labels)] = labels
    numbers = [name for name in frame.columns if name not in ("image_id", "split")]
    frame.loc[frame["split"] == "test", numbers] = 1 - frame.loc[frame["split"] == "test", numbers]
    return Cohort(table, NIH15), Predictions(frame, NIH15, predictions.taxonomy)


@pytest.mark.parametrize("hierarchical", [False, True])
def test_no_test_image_has_a_say_in_any_threshold(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions, hierarchical: bool
) -> None:
    """The original study tuned its thresholds on the test set."""
    made = make_predictions(cohort, tree=tree if hierarchical else None)
    before = Operating.choose(made, cohort)
    other_cohort, other = with_another_test_set(cohort, made)
    assert (other.align(other_cohort, "test")[0] != made.align(cohort, "test")[0]).all()
    assert (other_cohort.labels() != cohort.labels()).any()
    after = Operating.choose(other, other_cohort)
    np.testing.assert_array_equal(before.labels.values, after.labels.values)
    if hierarchical:
        assert before.nodes is not None
        assert after.nodes is not None
        np.testing.assert_array_equal(before.nodes.values, after.nodes.values)


def test_thresholds_come_from_validation(cohort: Cohort, make_predictions: MakePredictions) -> None:
    made = make_predictions(cohort)
    rows = cohort.rows("val")
    expected = [best_f1_threshold(cohort.labels(rows)[:, k], made.align(cohort, "val")[0][:, k]) for k in range(15)]
    assert Operating.choose(made, cohort).labels.values.tolist() == expected


def test_without_validation_there_are_no_thresholds(cohort: Cohort, make_predictions: MakePredictions) -> None:
    only_test = cohort.select("test")
    with pytest.raises(PredictionsError, match="no validation images"):
        Operating.choose(make_predictions(cohort), only_test)


def test_hard_routing_and_the_soft_product_are_two_things(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions
) -> None:
    made = make_predictions(cohort, tree=tree)
    operating = Operating.choose(made, cohort)
    scored = Scored.of(made, cohort, "test", operating, tree)
    assert scored.routed is not None
    assert (scored.routed != scored.decisions).any()
    _, given_parent = made.align(cohort, "test")
    assert given_parent is not None
    assert operating.nodes is not None
    np.testing.assert_array_equal(scored.routed, tree.route(given_parent, operating.nodes.values))
    flat = make_predictions(cohort)
    assert Scored.of(flat, cohort, "test", Operating.choose(flat, cohort), tree).routed is None


def test_unknown_validation_labels_have_no_say_in_a_threshold(
    make_cohort: Callable[..., Cohort],
    make_predictions: MakePredictions,
    tree: Taxonomy,
    hide: Callable[..., np.ndarray],
) -> None:
    def hidden(labels: np.ndarray) -> np.ndarray:
        known = hide(labels, NIH15, 0.3)
        known[:, NIH15.index("Hernia")] = False
        return known

    whole, partly = make_cohort(), make_cohort(hide=hidden)
    made = make_predictions(whole, tree=tree)
    operating = Operating.choose(made, partly)
    rows = partly.rows("val")
    known, truth, probs = partly.known(rows), partly.labels(rows), made.align(partly, "val")[0]
    for k, label in enumerate(NIH15.labels):
        expected = best_f1_threshold(truth[known[:, k], k], probs[known[:, k], k])
        assert operating.labels.fallback[k] == (expected is None) == (label == "Hernia")
        assert operating.labels.values[k] == (0.5 if expected is None else expected)
    given_parent = made.align(partly, "val")[1]
    assert given_parent is not None
    assert operating.nodes is not None
    np.testing.assert_array_equal(operating.nodes.values, node_thresholds(truth, given_parent, tree, known).values)
    assert (operating.nodes.values != node_thresholds(truth, given_parent, tree).values).any()
    scored = Scored.of(made, partly, "test", operating, tree)
    assert scored.known is not None
    np.testing.assert_array_equal(scored.known, partly.known(partly.rows("test")))
    assert Scored.of(made, whole, "test", operating, tree).known is None
