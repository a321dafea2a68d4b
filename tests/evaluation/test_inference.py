"""Routing: properties that hold for every tree and every number, and temperatures against scipy."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.inference import (
    COLDEST,
    HOTTEST,
    fit_temperature,
    fit_temperatures,
    gate,
    gate_flat,
    logit,
    route_predictions,
    tempered,
)
from chestxpert.evaluation.predictions import Predictions
from chestxpert.labels import NIH15, NO_FINDING, LabelSpace
from chestxpert.recipe import Routing
from chestxpert.taxonomy import Taxonomy, taxonomy

NONE = NIH15.index(NO_FINDING)
TREES = [taxonomy("study", NIH15), taxonomy("clinical", NIH15)]
FINDINGS = [NIH15.index(name) for name in NIH15.findings]
MakePredictions = Callable[..., Predictions]

probabilities = st.floats(0, 1) | st.sampled_from([0.0, 1e-300, 1e-17, 0.5, 1 - 1e-16, 1.0])


def arrays(width: int) -> st.SearchStrategy[np.ndarray]:
    return st.lists(st.lists(probabilities, min_size=width, max_size=width), min_size=1, max_size=3).map(np.array)


def node_probs(tree: Taxonomy, given_parent: np.ndarray) -> np.ndarray:
    """Probability of every node, by multiplying along its path."""
    return np.column_stack(
        [
            np.prod(given_parent[:, [tree.nodes.index(n) for n in (*tree.ancestors(node), node)]], axis=1)
            for node in tree.nodes
        ]
    )


@given(st.sampled_from(TREES), st.data(), st.floats(0.01, 20))
def test_no_node_is_likelier_than_its_parent_whatever_the_gate_and_temperature(
    tree: Taxonomy, data: st.DataObject, alpha: float
) -> None:
    values = data.draw(arrays(len(tree.nodes)))
    heat = np.array(data.draw(st.lists(st.floats(0.05, 20), min_size=len(tree.nodes), max_size=len(tree.nodes))))
    routed = gate(tempered(values, heat), alpha)
    assert ((routed >= 0) & (routed <= 1)).all()
    nodes, probs = node_probs(tree, routed), tree.marginals_from_conditionals(routed)
    for column, node in enumerate(tree.nodes):
        parent = tree.parent(node)
        above = 1.0 if parent is None else nodes[:, tree.nodes.index(parent)]
        assert (nodes[:, column] <= above).all()
    np.testing.assert_allclose(probs[:, NONE], 1 - nodes[:, 0], atol=1e-15)
    assert (probs[:, FINDINGS] <= 1 - probs[:, [NONE]] + 1e-15).all()


@given(st.sampled_from(TREES), st.data(), st.floats(0.01, 20))
def test_a_gated_finding_is_the_formula(tree: Taxonomy, data: st.DataObject, alpha: float) -> None:
    """p (1 - P(No Finding))^alpha, with p the product below the root's child and P(No Finding) before the gate."""
    values = data.draw(arrays(len(tree.nodes)))
    values[:, 0] = np.maximum(values[:, 0], 1e-3)  # 1 - (1 - p) has no more digits than that
    before, after = values.copy(), tree.marginals_from_conditionals(gate(values, alpha))
    assert np.array_equal(values, before), "the input is left alone"
    for finding in NIH15.findings:
        path = [tree.nodes.index(n) for n in (*tree.ancestors(finding), finding)][1:]
        no_finding = 1 - values[:, 0]
        expected = np.prod(values[:, path], axis=1) * (1 - no_finding) ** alpha
        np.testing.assert_allclose(after[:, NIH15.index(finding)], expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(after[:, NONE], 1 - values[:, 0] ** alpha, atol=1e-12)


@given(st.sampled_from(TREES), st.data())
def test_a_gate_of_one_leaves_a_hierarchy_as_it_is(tree: Taxonomy, data: st.DataObject) -> None:
    values = data.draw(arrays(len(tree.nodes)))
    assert np.array_equal(gate(values, 1.0), values)


@given(arrays(len(NIH15)), st.floats(0.01, 20))
def test_a_gated_flat_model_is_consistent(values: np.ndarray, alpha: float) -> None:
    routed = gate_flat(values, NIH15, alpha)
    assert ((routed >= 0) & (routed <= 1)).all()
    assert (routed[:, FINDINGS] <= 1 - routed[:, [NONE]] + 1e-15).all()
    assert (routed[:, FINDINGS] <= values[:, FINDINGS]).all()
    expected = values[:, FINDINGS] * ((1 - values[:, NONE]) ** alpha)[:, None]
    np.testing.assert_allclose(routed[:, FINDINGS], expected, rtol=1e-12)


@given(arrays(len(NIH15)))
def test_a_flat_gate_of_one_keeps_no_finding(values: np.ndarray) -> None:
    np.testing.assert_allclose(gate_flat(values, NIH15, 1.0)[:, NONE], values[:, NONE], atol=1e-15)


def test_a_gate_keeps_the_order_of_no_finding_and_not_that_of_findings() -> None:
    values = np.array([[0.9, 0.5], [0.8, 0.1]])
    routed = gate_flat(values, LabelSpace("ab", ("a", NO_FINDING)), 2.0)
    assert np.argsort(routed[:, 1]).tolist() == np.argsort(values[:, 1]).tolist()
    np.testing.assert_allclose(routed[:, 0], [0.225, 0.648])


@given(arrays(4), st.floats(0.05, 20))
def test_tempering_divides_logits_and_is_undone_by_its_inverse(values: np.ndarray, heat: float) -> None:
    inner = np.clip(values, 1e-6, 1 - 1e-6)
    warm = max(heat, 0.5)  # colder ones end where a float64 below 1 has no more digits
    np.testing.assert_allclose(logit(tempered(inner, warm)), logit(inner) / warm, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(tempered(tempered(inner, 2.0), 0.5), inner, rtol=1e-9)
    assert np.array_equal(tempered(values, 1.0), values)
    assert not np.isnan(tempered(values, heat)).any()
    order = np.argsort(values, axis=0, kind="stable")
    assert (np.diff(np.take_along_axis(tempered(values, heat), order, axis=0), axis=0) >= 0).all()


def nll(temperature: float, truth: np.ndarray, logits: np.ndarray) -> float:
    scaled = logits / temperature
    return float((np.logaddexp(0, scaled) - truth * scaled).mean())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 5))
def test_the_fitted_temperature_is_scipys_minimum(seed: int, heat: float) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=400) * 2
    truth = rng.random(400) < 1 / (1 + np.exp(-logits / heat))
    found = fit_temperature(truth, 1 / (1 + np.exp(-logits)))
    best = minimize_scalar(
        lambda log_t: nll(np.exp(log_t), truth, logits), bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded",
        options={"xatol": 1e-9},
    )  # fmt: skip
    assert found is not None
    assert found == pytest.approx(float(np.exp(best.x)), rel=1e-4)
    assert nll(found, truth, logits) <= nll(1.0, truth, logits) + 1e-12


def test_overconfidence_that_was_put_in_is_found() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=50_000)
    truth = rng.random(50_000) < 1 / (1 + np.exp(-logits))
    assert fit_temperature(truth, 1 / (1 + np.exp(-3 * logits))) == pytest.approx(3, rel=0.05)


def test_a_temperature_needs_both_answers_and_an_error_and_has_an_upper_bound() -> None:
    assert fit_temperature([True, False], [0.9, 0.1]) is None  # told apart without error: colder is always better
    assert fit_temperature([True, False, False], [0.9, 0.1, 0.9]) is not None
    assert fit_temperature([False, True], [0.9, 0.1]) == pytest.approx(HOTTEST)
    assert fit_temperature([True, True], [0.9, 0.1]) is None
    assert fit_temperature([False], [0.1]) is None
    assert fit_temperature([], []) is None
    assert fit_temperature([True, False], [0.5, 0.5]) is None
    assert fit_temperature([True, False, False], [1.0, 0.0, 1.0]) is not None


def test_each_decision_is_fitted_where_it_is_asked_and_known(
    make_cohort: Callable[..., Cohort], hide: Callable[..., np.ndarray]
) -> None:
    cohort = make_cohort(300, hide=lambda labels: hide(labels, NIH15, 0.3))
    labels, known, tree = cohort.labels(), cohort.known(), TREES[1]
    rng = np.random.default_rng(3)
    values = rng.random((len(labels), len(tree.nodes)))
    fitted = fit_temperatures(labels, values, tree, known)
    assert list(fitted) == [decision.name for decision in tree.decisions]
    targets, mask = tree.targets(labels, known), tree.mask(labels, known)
    for decision in tree.decisions:
        asked = [
            (targets[row, column], values[row, column])
            for row in range(len(labels))
            for column in range(len(tree.nodes))
            if tree.nodes[column] in decision.children and mask[row, column]
        ]
        assert fitted[decision.name] == fit_temperature(*map(np.array, zip(*asked, strict=True)))
    spoilt = np.where(mask, values, 1 - values)
    assert fit_temperatures(labels ^ ~known, spoilt, tree, known) == fitted


@pytest.mark.parametrize("tree", [None, *TREES], ids=["flat", "study", "clinical"])
def test_predictions_are_routed_as_their_recipe_says(
    cohort: Cohort, make_predictions: MakePredictions, tree: Taxonomy | None
) -> None:
    made = make_predictions(cohort, tree=tree)
    assert route_predictions(made, cohort, Routing()) == (made, None)
    routed, record = route_predictions(made, cohort, Routing("gated", {"alpha": 2.0}, "fit"))
    assert record is not None
    assert (record["kind"], record["alpha"]) == ("gated", 2.0)
    heat = record["temperatures"]
    assert heat.pop("chosen_on") == "val"
    assert list(heat) == (["flat"] if tree is None else [decision.name for decision in tree.decisions])
    assert routed.frame["image_id"].tolist() == made.frame["image_id"].tolist()
    assert routed.frame["split"].tolist() == made.frame["split"].tolist()
    assert (routed.probs[:, FINDINGS] <= 1 - routed.probs[:, [NONE]] + 1e-12).all()
    if tree is None:
        np.testing.assert_allclose(routed.probs, gate_flat(tempered(made.probs, heat["flat"]), NIH15, 2.0))
        return
    given_parent, before = routed.conditionals, made.conditionals
    assert given_parent is not None
    assert before is not None
    np.testing.assert_allclose(routed.probs, tree.marginals_from_conditionals(given_parent))
    columns = np.concatenate([[heat[d.name]] * len(d.children) for d in tree.decisions])
    np.testing.assert_allclose(given_parent[:, 1:], tempered(before, columns)[:, 1:])
    np.testing.assert_allclose(given_parent[:, 0], tempered(before, columns)[:, 0] ** 2)


def test_no_test_label_moves_a_temperature(cohort: Cohort, make_predictions: MakePredictions) -> None:
    made = make_predictions(cohort, tree=TREES[0])
    table = cohort.table.copy()
    test, names = cohort.rows("test"), list(NIH15.labels)
    table.loc[test, names] = table.loc[test[::-1], names].to_numpy()
    shuffled = Cohort(table, NIH15)
    routing = Routing(temperature="fit")
    one, other = route_predictions(made, cohort, routing), route_predictions(made, shuffled, routing)
    assert one[1] == other[1]
    assert one[0].frame.equals(other[0].frame)


def test_temperature_alone_lowers_the_validation_likelihood_of_an_overconfident_run(
    cohort: Cohort, make_predictions: MakePredictions
) -> None:
    made = make_predictions(cohort)
    hot = replace(made, frame=made.frame.assign(**{name: tempered(made.frame[name], 0.2) for name in NIH15.labels}))
    routed, record = route_predictions(hot, cohort, Routing(temperature="fit"))
    assert record is not None
    assert record["temperatures"]["flat"] > 2
    truth = cohort.labels(cohort.rows("val"))
    assert nll(1.0, truth, logit(routed.align(cohort, "val")[0])) < nll(1.0, truth, logit(hot.align(cohort, "val")[0]))


def test_a_gate_needs_no_finding() -> None:
    space = LabelSpace("ab", ("a", "b"), None)
    made = Predictions.from_arrays(["1"], "val", [[0.5, 0.5]], space)
    with pytest.raises(PredictionsError, match="needs No Finding"):
        route_predictions(made, None, Routing("gated"))  # type: ignore[arg-type]
