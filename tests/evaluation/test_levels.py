"""Metrics by level, against enumeration of the model behind the probabilities, scikit-learn and resampled copies."""

import itertools
import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.evaluation.levels import InnerNodes, any_of, level_values
from chestxpert.evaluation.measures import drawn_metrics, point_metrics
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import evaluate_run
from chestxpert.evaluation.scored import Operating, Scored
from chestxpert.labels import NIH15, NO_FINDING, LabelSpace
from chestxpert.taxonomy import Taxonomy, parse_taxonomy, taxonomy

SMALL = LabelSpace("small", (*"abcde", NO_FINDING))
OWN = parse_taxonomy("{name: own, tree: {any: [{x: [a, {y: [b, c]}]}, {z: [d, e]}]}}", SMALL)
STUDY, CLINICAL = taxonomy("study", NIH15), taxonomy("clinical", NIH15)
MakePredictions = Callable[..., Predictions]
subsets = st.sets(st.sampled_from("abcde"), min_size=1)


def by_enumeration(given_parent: np.ndarray, findings: set[str]) -> float:
    """Probability that any of `findings` is there, adding up every state of the tree that has one.

    A node of which every finding is meant stands for itself: it is on, and so 'any of them' is, by its meaning.
    """
    meant = [node for node in OWN.nodes if set(OWN.findings_below(node)) <= findings]
    total = 0.0
    for state in itertools.product([False, True], repeat=len(OWN.nodes)):
        on = dict(zip(OWN.nodes, state, strict=True))
        weight = 1.0
        for node, p in zip(OWN.nodes, given_parent, strict=True):
            parent = OWN.parent(node)
            chance = p if parent is None or on[parent] else 0.0
            weight *= chance if on[node] else 1 - chance
        total += weight * any(on[node] for node in meant)
    return total


@settings(max_examples=60, deadline=None)
@given(subsets, st.lists(st.floats(0.01, 0.99), min_size=9, max_size=9))
def test_any_of_some_findings_is_the_hierarchys_own_probability_of_it(findings: set[str], values: list[float]) -> None:
    given_parent = np.array([values[: len(OWN.nodes)]])
    probs = OWN.marginals_from_conditionals(given_parent)
    made = Predictions.from_arrays(["1"], "val", probs, SMALL, given_parent, OWN)
    found = float(any_of(findings, probs, given_parent, made)[0])
    assert found == pytest.approx(by_enumeration(given_parent[0], findings), rel=1e-9)
    assert found >= max(probs[0, SMALL.index(name)] for name in findings) - 1e-12


@given(subsets, st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_any_of_some_findings_is_a_noisy_or_in_a_flat_model(findings: set[str], values: list[float]) -> None:
    probs = np.array([values])
    made = Predictions.from_arrays(["1"], "val", probs, SMALL)
    found = float(any_of(findings, probs, None, made)[0])
    if findings == set("abcde"):
        assert found == pytest.approx(1 - values[SMALL.index(NO_FINDING)])
    else:
        assert found == pytest.approx(1 - np.prod([1 - values[SMALL.index(name)] for name in findings]), abs=1e-12)


def test_small_probabilities_keep_their_order() -> None:
    probs = np.array([[1e-20, 1e-20, 0, 0, 0, 0.9], [1e-20, 3e-20, 0, 0, 0, 0.9]])
    found = any_of({"a", "b"}, probs, None, Predictions.from_arrays(["1", "2"], "val", probs, SMALL))
    np.testing.assert_allclose(found, [2e-20, 4e-20])


@pytest.mark.parametrize("own", [None, STUDY, CLINICAL], ids=["flat", "study", "clinical"])
@pytest.mark.parametrize("measured", [STUDY, CLINICAL], ids=["on study", "on clinical"])
def test_every_recipe_is_measured_at_every_inner_node(
    cohort: Cohort, make_predictions: MakePredictions, own: Taxonomy | None, measured: Taxonomy
) -> None:
    made = make_predictions(cohort, tree=own)
    result = evaluate_run(made, cohort, measured)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["taxonomy"] == measured.name
    levels = result["test"]["levels"]
    inner = [node for node in measured.nodes if node not in measured.leaves]
    assert list(levels["inner"]) == inner
    assert list(levels["means"]) == [str(level) for level in range(1, max(measured.levels) + 1)]
    labels = cohort.labels(cohort.rows("test"))
    probs, given_parent = made.align(cohort, "test")
    for node in inner:
        below = [NIH15.index(name) for name in measured.findings_below(node)]
        truth = labels[:, below].any(axis=1)
        entry, score = levels["inner"][node], any_of(set(measured.findings_below(node)), probs, given_parent, made)
        assert entry["n_positive"] == truth.sum()
        assert entry["auroc"] == pytest.approx(roc_auc_score(truth, score))
        assert entry["ap"] == pytest.approx(average_precision_score(truth, score))
        assert entry["f1"] == pytest.approx(f1_score(truth, score >= entry["threshold"]))
    for level, means in levels["means"].items():
        nodes = [node for node, depth in zip(measured.nodes, measured.levels, strict=True) if depth == int(level)]
        assert means["n_nodes"] == means["n_defined"] == len(nodes)
        for name in ("auroc", "ap", "f1"):
            each = [(levels["inner"] | result["test"]["per_label"])[node][name] for node in nodes]
            assert means[name] == pytest.approx(np.mean(each))


def test_a_hierarchy_speaks_for_itself_at_its_own_nodes(cohort: Cohort, make_predictions: MakePredictions) -> None:
    made = make_predictions(cohort, tree=CLINICAL)
    inner = InnerNodes.of(made, cohort, "test", CLINICAL)
    given_parent = made.align(cohort, "test")[1]
    assert given_parent is not None
    for column, node in enumerate(inner.names):
        path = [CLINICAL.nodes.index(name) for name in (*CLINICAL.ancestors(node), node)]
        np.testing.assert_allclose(inner.probs[:, column], np.prod(given_parent[:, path], axis=1), rtol=1e-9)


def test_thresholds_are_those_of_validation(cohort: Cohort, make_predictions: MakePredictions) -> None:
    made = make_predictions(cohort, tree=STUDY)
    val, test = (InnerNodes.of(made, cohort, split, STUDY) for split in ("val", "test"))
    np.testing.assert_array_equal(val.thresholds.values, test.thresholds.values)
    for column in range(len(val.names)):
        own = val.measured()["f1"][column]
        for cut in np.quantile(val.probs[:, column], np.linspace(0, 1, 60)):
            assert f1_score(val.truth[:, column], val.probs[:, column] >= cut) <= own + 1e-12


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_draw_measures_copies_of_its_patients_images(
    make_cohort: Callable[..., Cohort], hide: Callable[..., np.ndarray], make_predictions: MakePredictions, share: float
) -> None:
    cohort = make_cohort(hide=lambda labels: hide(labels, NIH15, share))
    made = make_predictions(cohort, tree=CLINICAL)
    inner = InnerNodes.of(made, cohort, "test", CLINICAL)
    assert (inner.known is None) == (share == 0.0)
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 12, 0)
    drawn = inner.drawn(draws)
    for number in range(12):
        copies = np.repeat(np.arange(len(inner.truth)), draws.counts[number][draws.patient_of_image])
        for column in range(len(inner.names)):
            told = copies if inner.known is None else copies[inner.known[copies, column]]
            truth, score = inner.truth[told, column], inner.probs[told, column]
            assert drawn["auroc"][number, column] == pytest.approx(roc_auc_score(truth, score))
            assert drawn["ap"][number, column] == pytest.approx(average_precision_score(truth, score))
            assert drawn["f1"][number, column] == pytest.approx(f1_score(truth, inner.decisions[told, column]))


def test_unknown_labels_are_counted_and_left_out(
    make_cohort: Callable[..., Cohort], hide: Callable[..., np.ndarray], make_predictions: MakePredictions
) -> None:
    whole, partly = make_cohort(), make_cohort(hide=lambda labels: hide(labels, NIH15, 0.4))
    result = evaluate_run(make_predictions(whole), partly, STUDY)["test"]["levels"]["inner"]
    rows = partly.rows("test")
    labels, known = partly.labels(rows), partly.known(rows)
    told, held = STUDY.known(labels, known), STUDY.targets(labels, known)
    for node in ("finding", "minority"):
        column = STUDY.nodes.index(node)
        assert result[node]["n_known"] == told[:, column].sum() < len(rows)
        assert result[node]["n_positive"] == held[:, column].sum()
    complete = evaluate_run(make_predictions(whole), whole, STUDY)["test"]["levels"]["inner"]
    assert "n_known" not in complete["finding"]


def test_a_comparison_has_levels_with_intervals(cohort: Cohort, make_predictions: MakePredictions) -> None:
    runs = {
        "flat-basic": [RunResult(seed, make_predictions(cohort, seed=seed), "flat") for seed in (0, 1)],
        "tree": [RunResult(seed, make_predictions(cohort, seed=seed, tree=CLINICAL), "shared") for seed in (0, 1)],
    }
    result = compare_runs(runs, cohort, CLINICAL, draws=60)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["taxonomy"] == "clinical"
    for name, own in runs.items():
        levels = result["recipes"][name]["levels"]
        each = [evaluate_run(run.predictions, cohort, CLINICAL)["test"]["levels"] for run in own]
        for node, entry in levels["inner"].items():
            assert entry["level"] == CLINICAL.levels[CLINICAL.nodes.index(node)]
            for metric in ("auroc", "ap", "f1"):
                assert entry[metric]["mean"] == pytest.approx(np.mean([one["inner"][node][metric] for one in each]))
                assert entry[metric]["low"] < entry[metric]["high"]
                assert entry[metric]["n_draws"] == 60
        for level, entry in levels["means"].items():
            assert (entry["n_nodes"], entry["n_defined"]) == tuple(
                each[0]["means"][level][key] for key in ("n_nodes", "n_defined")
            )
            for metric in ("auroc", "ap", "f1"):
                assert entry[metric]["mean"] == pytest.approx(np.mean([one["means"][level][metric] for one in each]))
                assert entry[metric]["low"] <= entry[metric]["mean"] <= entry[metric]["high"]


def test_level_means_in_draws_are_means_of_the_draws_nodes(cohort: Cohort, make_predictions: MakePredictions) -> None:
    made = make_predictions(cohort)
    scored = Scored.of(made, cohort, "test", Operating.choose(made, cohort), STUDY)
    inner = InnerNodes.of(made, cohort, "test", STUDY)
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 5, 1)
    measured, own = drawn_metrics(scored, draws), inner.drawn(draws)
    levels = level_values(measured.per_label, own, STUDY)
    assert [values["ap"].shape for values in levels] == [(5, 1), (5, 6), (5, 9)]
    np.testing.assert_array_equal(levels[0]["f1"][:, 0], own["f1"][:, 0])
    np.testing.assert_array_equal(levels[1]["ap"][:, 5], own["ap"][:, 1])
    np.testing.assert_array_equal(levels[1]["ap"][:, 0], measured.per_label["ap"][:, NIH15.index("Atelectasis")])
    points = level_values(point_metrics(scored).per_label, inner.measured(), STUDY)
    assert points[2]["auroc"].shape == (9,)


def test_a_tree_without_inner_nodes_has_one_level() -> None:
    space = LabelSpace("ab", ("a", "b"), None)
    tree = parse_taxonomy("{name: t, tree: [a, b]}", space)
    inner = InnerNodes(
        tree, (), np.zeros((3, 0), bool), np.zeros((3, 0)), np.zeros((3, 0), bool), None, None,  # type: ignore[arg-type]
    )  # fmt: skip
    own = inner.drawn(PatientDraws.draw(np.array(["1", "2", "3"]), 4, 0))
    per_label = {name: np.array([[0.5, np.nan]] * 4) for name in own}
    assert [values["ap"].shape for values in level_values(per_label, own, tree)] == [(4, 2)]
    assert inner.measured()["auroc"].shape == (0,)
    assert inner.counts() == {}


def test_the_probability_of_a_set_does_not_depend_on_the_order_of_a_set(
    cohort: Cohort, make_predictions: MakePredictions
) -> None:
    """Processes iterate over one set in different orders, and a sum of floats in another order ends differently."""
    made = make_predictions(cohort)
    probs, given = made.align(cohort, "test")

    class Backwards(set[str]):
        def __iter__(self) -> Iterator[str]:
            return iter(sorted(super().__iter__(), reverse=True))

    class Forwards(set[str]):
        def __iter__(self) -> Iterator[str]:
            return iter(sorted(super().__iter__()))

    some = NIH15.findings[:9]
    np.testing.assert_array_equal(
        any_of(Forwards(some), probs, given, made), any_of(Backwards(some), probs, given, made)
    )
