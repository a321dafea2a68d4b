"""Hierarchical precision, recall and F1, whole and level by level, against HiClass, an independent implementation.

HiClass (Miranda, Koehnecke and Renard, HiClass: a Python library for local hierarchical classification compatible with
scikit-learn, JMLR 24, 2023) takes, for each image, a list of paths from the root, padded with "". Its micro average is
Kiritchenko's definition. It differs from ours at the ends: where nothing is decided or nothing holds in any image it
divides by zero, and ours is undefined (NaN); and F1 without any hit it sets to 0, with a warning, as ours is.

HiClass has no scores by level. Paths in which all other levels are blank are a hierarchy of that level alone, and with
all but one node blank its F1 is the F1 of that node; so the same functions are the oracle there too.
"""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning
from uneven_trees import some_labels, uneven_trees

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.hierarchy import hierarchical_counts, hierarchical_level_counts, hierarchical_scores
from chestxpert.evaluation.levels import drawn_level_counts
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import evaluate_run
from chestxpert.evaluation.scored import Operating, Scored
from chestxpert.labels import CXRLT20, NIH15, LabelSpace
from chestxpert.taxonomy import Taxonomy, taxonomy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what its imports warn of is not ours
    hiclass = pytest.importorskip("hiclass.metrics")

TREES = [taxonomy(name, space) for space in (NIH15, CXRLT20) for name in ("study", "clinical")]
SCORES: tuple[Callable[..., float], ...] = (hiclass.precision, hiclass.recall, hiclass.f1)


def theirs(place: int, truth: np.ndarray, decided: np.ndarray) -> float:
    """Precision, recall or F1 as HiClass has it; NaN where it divides by zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        try:
            return float(SCORES[place](truth, decided))
        except ZeroDivisionError:
            return float("nan")


def at_level(paths: np.ndarray, level: int) -> np.ndarray:
    """Paths with every level but one left blank."""
    return np.where(np.arange(paths.shape[-1]) == level - 1, paths, "")


def paths_of(labels: np.ndarray, tree: Taxonomy, width: int) -> np.ndarray:
    """(N, width, depth) array of node names: a row's labels as paths, No Finding as a path of one node."""
    depth = max(tree.levels)
    paths = np.full((len(labels), width, depth), "", dtype=object)
    for row, held in enumerate(labels):
        for place, column in enumerate(np.flatnonzero(held)):
            label = tree.label_space.labels[column]
            path = (label,) if label == tree.label_space.no_finding else (*tree.ancestors(label), label)
            paths[row, place, : len(path)] = path
    return paths.astype(str)


@st.composite
def decided(draw: st.DrawFn) -> tuple[Taxonomy, np.ndarray, np.ndarray]:
    """A tree, true labels as a cohort has them, and decisions of any kind, No Finding beside a finding too."""
    tree = draw(st.sampled_from(TREES))
    space: LabelSpace = tree.label_space
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(1, 12))
    truth = rng.random((rows, len(space))) < draw(st.sampled_from([0.05, 0.2, 0.6]))
    none = space.index("No Finding")
    truth[:, none] = ~np.delete(truth, none, axis=1).any(axis=1)
    noise = rng.random(truth.shape) < draw(st.sampled_from([0.0, 0.1, 0.5]))
    return tree, truth, truth ^ noise


@given(decided())
@settings(max_examples=80, deadline=None)
@pytest.mark.parametrize("place", [0, 1, 2], ids=["precision", "recall", "f1"])
def test_scores_equal_those_of_hiclass(place: int, case: tuple[Taxonomy, np.ndarray, np.ndarray]) -> None:
    tree, truth, decisions = case
    assume(decisions.any())
    ours = [float(score) for score in hierarchical_scores(hierarchical_counts(truth, decisions, tree).sum(axis=0))]
    width = len(tree.label_space)
    expected = theirs(place, paths_of(truth, tree, width), paths_of(decisions, tree, width))
    assert ours[place] == pytest.approx(expected, abs=1e-12)


@st.composite
def uneven(draw: st.DrawFn) -> tuple[Taxonomy, np.ndarray, np.ndarray]:
    """A random tree of unequal depths, and decisions at random: right ones, wrong ones, none."""
    tree = draw(uneven_trees())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = some_labels(tree, draw(st.integers(1, 10)), draw(st.sampled_from([0.0, 0.2, 0.6])), rng)
    return tree, truth, truth ^ (rng.random(truth.shape) < draw(st.sampled_from([0.0, 0.2, 0.7])))


@given(uneven())
@settings(max_examples=120, deadline=None)
def test_on_trees_of_unequal_depths_the_whole_and_every_level_equal_those_of_hiclass(
    case: tuple[Taxonomy, np.ndarray, np.ndarray],
) -> None:
    tree, truth, decisions = case
    width = len(tree.label_space)
    paths = paths_of(truth, tree, width), paths_of(decisions, tree, width)
    counts = hierarchical_level_counts(truth, decisions, tree)
    np.testing.assert_array_equal(counts.sum(axis=1), hierarchical_counts(truth, decisions, tree))
    levels = [(paths, counts.sum(axis=(0, 1)))]
    for level in range(1, max(tree.levels) + 1):
        levels.append(((at_level(paths[0], level), at_level(paths[1], level)), counts[:, level - 1].sum(axis=0)))
    for (held, decided), sums in levels:
        precision, recall, f1 = map(float, hierarchical_scores(sums))
        assert precision == pytest.approx(theirs(0, held, decided), abs=1e-12, nan_ok=True)
        assert recall == pytest.approx(theirs(1, held, decided), abs=1e-12, nan_ok=True)
        expected = theirs(2, held, decided)
        if sums[1] and sums[2]:
            assert f1 == pytest.approx(expected, abs=1e-12)
        else:  # there HiClass divides by zero; ours is 0 where only one of the two sides is empty
            assert np.isnan(expected)
            assert f1 == 0 if sums[1] or sums[2] else np.isnan(f1)


@pytest.mark.parametrize("name", ["study", "clinical"])
def test_levels_of_an_evaluation_equal_those_of_hiclass(
    cohort: Cohort, make_predictions: Callable[..., Predictions], name: str
) -> None:
    """What evaluation.json says: hierarchical scores of each level, and F1 of each node and their mean."""
    tree = taxonomy(name, NIH15)
    made = make_predictions(cohort, tree=tree)
    result = evaluate_run(made, cohort, tree)
    rows = cohort.rows("test")
    truth, probs = cohort.labels(rows), made.align(cohort, "test")[0]
    operating = Operating.choose(made, cohort)
    paths = paths_of(truth, tree, 15), paths_of(operating.labels.decide(probs), tree, 15)
    for level, scores in result["test"]["levels"]["hierarchical"].items():
        held, decided = (at_level(each, int(level)) for each in paths)
        for place, key in enumerate(("precision", "recall", "f1")):
            assert scores[key] == pytest.approx(theirs(place, held, decided), abs=1e-12)
    for level, means in result["test"]["levels"]["means"].items():
        each = []
        for column, node in enumerate(tree.nodes):
            if tree.levels[column] == int(level):
                each.append(theirs(2, *_of_node(result, made, cohort, tree, node)))
                entry = (result["test"]["levels"]["inner"] | result["test"]["per_label"])[node]
                assert entry["f1"] == pytest.approx(each[-1], abs=1e-12)
        assert means["f1"] == pytest.approx(np.mean(each))


def _of_node(
    result: dict, made: Predictions, cohort: Cohort, tree: Taxonomy, node: str
) -> tuple[np.ndarray, np.ndarray]:
    """One node as HiClass takes it: (n, 1) names or blanks, of truth and of what is decided at the node's threshold."""
    probs, given_parent = made.align(cohort, "test")
    assert given_parent is not None
    path = [tree.nodes.index(name) for name in (*tree.ancestors(node), node)]
    inner = result["test"]["levels"]["inner"]
    cut = (inner if node in inner else result["thresholds"]["labels"])[node]["threshold"]
    score = probs[:, NIH15.index(node)] if node in tree.leaves else given_parent[:, path].prod(axis=1)
    held = tree.targets(cohort.labels(cohort.rows("test")))[:, tree.nodes.index(node)]
    return np.where(held, node, "")[:, None], np.where(score >= cut, node, "")[:, None]


def test_levels_in_a_draw_are_those_of_hiclass_on_copies_of_its_images(
    cohort: Cohort, make_predictions: Callable[..., Predictions]
) -> None:
    tree = TREES[1]
    made = make_predictions(cohort, tree=tree)
    scored = Scored.of(made, cohort, "test", Operating.choose(made, cohort), tree)
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 3, 0)
    drawn = drawn_level_counts(scored, draws)
    for number in range(3):
        copies = np.repeat(np.arange(len(scored.truth)), draws.counts[number][draws.patient_of_image])
        paths = paths_of(scored.truth[copies], tree, 15), paths_of(scored.decisions[copies], tree, 15)
        for level in range(1, max(tree.levels) + 1):
            held, decided = (at_level(each, level) for each in paths)
            scores = hierarchical_scores(drawn[number, level - 1])
            for place in range(3):
                assert float(scores[place]) == pytest.approx(theirs(place, held, decided), abs=1e-12)


def test_an_image_counts_each_ancestor_once_as_hiclass_counts_sets() -> None:
    """Two findings below one node: its name stands in both paths and once in the set."""
    tree = TREES[0]
    truth = np.array([NIH15.encode(["Hernia", "Edema"])])
    decisions = np.array([NIH15.encode(["Hernia", "Mass"])])
    paths = (paths_of(truth, tree, 15), paths_of(decisions, tree, 15))
    # True: finding, minority, Hernia, Edema. Decided: finding, minority, Hernia, Mass. Three in both.
    assert hiclass.precision(*paths) == hiclass.recall(*paths) == 3 / 4
    assert hierarchical_counts(truth, decisions, tree).tolist() == [[3, 4, 4]]


def test_where_the_two_differ_ours_is_undefined() -> None:
    tree = TREES[0]
    truth = np.array([NIH15.encode(["Mass"])])
    nothing = np.zeros_like(truth)
    assert np.isnan(hierarchical_scores(hierarchical_counts(truth, nothing, tree).sum(axis=0))[0])
    with pytest.raises(ZeroDivisionError):
        hiclass.precision(paths_of(truth, tree, 15), paths_of(nothing, tree, 15))
