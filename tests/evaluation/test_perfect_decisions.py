"""Perfect decisions: against brute force over images, and what must hold whatever the tree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from uneven_trees import some_labels, uneven_trees

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.perfect_decisions import PerfectDecisions, perfected
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.routing import lost_along_tree
from chestxpert.evaluation.scored import Operating
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy, taxonomy

MakePredictions = Callable[..., Predictions]
TREES = [taxonomy(name, NIH15) for name in ("study", "clinical")]


def ready(cohort: Cohort, made: Predictions) -> tuple[PerfectDecisions, Operating, PatientDraws]:
    operating = Operating.choose(made, cohort)
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 6, 0).after_sample()
    return PerfectDecisions(made, operating, cohort, "test"), operating, draws


def by_hand(tree: Taxonomy, truth: np.ndarray, given_parent: np.ndarray, perfect: set[str]) -> np.ndarray:
    """Image by image: the answer of a perfect decision where its parent holds, the network's elsewhere."""
    answers = given_parent.copy()
    for row, held in enumerate(truth):
        names = {name for name, there in zip(tree.label_space.labels, held, strict=True) if there}
        for column, node in enumerate(tree.nodes):
            parent = tree.parent(node)
            asked = parent is None or bool(names & set(tree.findings_below(parent)))
            if tree.decision_of(node).name in perfect and asked:
                answers[row, column] = float(bool(names & set(tree.findings_below(node))))
    return answers


@settings(max_examples=60, deadline=None)
@given(uneven_trees(), st.integers(0, 2**32 - 1), st.data())
def test_the_truth_stands_where_the_decision_is_asked(tree: Taxonomy, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    truth = some_labels(tree, 8, 0.3, rng)
    answers = rng.random((8, len(tree.nodes)))
    perfect = data.draw(st.sets(st.sampled_from([decision.name for decision in tree.decisions])))
    np.testing.assert_array_equal(perfected(answers, truth, tree, perfect), by_hand(tree, truth, answers, perfect))


@settings(max_examples=60, deadline=None)
@given(uneven_trees(), st.integers(0, 2**32 - 1), st.data())
def test_a_perfect_decision_loses_no_case_itself_and_never_adds_a_lost_one(
    tree: Taxonomy, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    truth = some_labels(tree, 30, 0.3, rng)
    on = rng.random((30, len(tree.nodes))) < 0.6
    name = data.draw(st.sampled_from([decision.name for decision in tree.decisions]))
    half = np.full(len(tree.nodes), 0.5)
    before = lost_along_tree(truth, on, half, tree)
    after = lost_along_tree(truth, perfected(on, truth, tree, {name}), half, tree)
    for finding, entry in after.items():
        assert entry["found"] >= before[finding]["found"]
        assert entry["lost"].get(name, 0) == 0
    everything = perfected(on, truth, tree, {decision.name for decision in tree.decisions})
    np.testing.assert_array_equal(tree.route(everything, half), truth)


def test_a_perfect_last_decision_does_not_make_up_for_the_ones_above() -> None:
    tree = TREES[0]
    truth = np.array([NIH15.encode(["Hernia"]), NIH15.encode(["No Finding"]), NIH15.encode(["Mass"])])
    given_parent = np.full((3, len(tree.nodes)), 0.9)
    perfect_c = tree.marginals_from_conditionals(perfected(given_parent, truth, tree, {"C"}))
    hernia = perfect_c[:, NIH15.index("Hernia")]
    # A and B let an image without a finding, and one with Mass alone, down to C, which was never made for them.
    np.testing.assert_allclose(hernia, [0.81, 0.729, 0.729])
    perfect_b = tree.marginals_from_conditionals(perfected(given_parent, truth, tree, {"B"}))
    np.testing.assert_allclose(perfect_b[:, NIH15.index("Hernia")], [0.81, 0.729, 0.0])
    perfect_a = tree.marginals_from_conditionals(perfected(given_parent, truth, tree, {"A"}))
    np.testing.assert_allclose(perfect_a[:, NIH15.index("Hernia")], [0.81, 0.0, 0.81])


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.name)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_every_value_equals_a_recomputation_without_the_library(
    make_cohort: Callable[..., Cohort],
    hide: Callable[..., np.ndarray],
    make_predictions: MakePredictions,
    tree: Taxonomy,
    share: float,
) -> None:
    cohort = make_cohort(hide=lambda labels: hide(labels, NIH15, share))
    made = make_predictions(cohort, tree=tree)
    run, operating, draws = ready(cohort, made)
    rows = cohort.rows("test")
    truth, known = cohort.labels(rows), cohort.known(rows)
    given_parent = made.align(cohort, "test")[1]
    assert given_parent is not None
    assert operating.nodes is not None
    mask, targets = tree.mask(truth, known), tree.targets(truth, known)
    for name in (None, *(decision.name for decision in tree.decisions)):
        values = run.measure(() if name is None else {name}, draws)
        answers, on = given_parent.copy(), given_parent >= operating.nodes.values
        for column, node in enumerate(tree.nodes):
            if tree.decision_of(node).name == name:
                for row in np.flatnonzero(mask[:, column]):
                    answers[row, column] = on[row, column] = targets[row, column]
        for k, finding in enumerate(NIH15.findings):
            path = [tree.nodes.index(node) for node in (*tree.ancestors(finding), finding)]
            told = known[:, NIH15.index(finding)]
            held, score = truth[told, NIH15.index(finding)], answers[told][:, path].prod(axis=1)
            assert values["ap"][0, k] == pytest.approx(average_precision_score(held, score))
            decided = on[told][:, path].all(axis=1)
            assert values["found"][0, k] == (held & decided).sum()
            assert values["false_alarms"][0, k] == (~held & decided).sum()
            assert values["hard_recall"][0, k] == pytest.approx((held & decided).sum() / held.sum())
            f1 = 2 * (held & decided).sum() / (held.sum() + decided.sum())
            assert values["hard_f1"][0, k] == pytest.approx(f1)


def test_what_a_decision_cannot_change_is_taken_over_and_the_same(
    cohort: Cohort, make_predictions: MakePredictions
) -> None:
    run, _, draws = ready(cohort, make_predictions(cohort, tree=TREES[1]))
    plain = run.measure((), draws)
    for name in ("root", "pleural", "opacity"):
        again, whole = run.measure({name}, draws, plain), run.measure({name}, draws)
        np.testing.assert_allclose(again["ap"], whole["ap"], rtol=1e-12)
    pleural = run.measure({"pleural"}, draws, plain)["ap"]
    moved = {f for k, f in enumerate(NIH15.findings) if not np.array_equal(pleural[:, k], plain["ap"][:, k], True)}
    assert moved == {"Effusion", "Pleural_Thickening", "Pneumothorax"}


def test_with_every_decision_perfect_nothing_is_lost_in_any_draw(
    cohort: Cohort, make_predictions: MakePredictions
) -> None:
    for tree in TREES:
        run, _, draws = ready(cohort, make_predictions(cohort, tree=tree))
        values = run.measure({decision.name for decision in tree.decisions}, draws)
        for key in ("ap", "hard_recall", "hard_f1"):
            np.testing.assert_allclose(values[key][~np.isnan(values[key])], 1.0)
        assert (values["false_alarms"] == 0).all()


def test_a_flat_run_has_no_decisions(cohort: Cohort, make_predictions: MakePredictions) -> None:
    made = make_predictions(cohort)
    with pytest.raises(ValueError, match="Only a hierarchy"):
        PerfectDecisions(made, Operating.choose(made, cohort), cohort, "test")
