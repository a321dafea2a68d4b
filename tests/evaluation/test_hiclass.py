"""Hierarchical precision, recall and F1 against HiClass, an independent implementation.

HiClass (Miranda, Koehnecke and Renard, HiClass: a Python library for local hierarchical classification compatible with
scikit-learn, JMLR 24, 2023) takes, for each image, a list of paths from the root, padded with "". Its micro average is
Kiritchenko's definition. It differs from ours at the ends: where nothing is decided or nothing holds in any image it
divides by zero, and ours is undefined (NaN); and F1 without any hit it sets to 0, with a warning, as ours is.
"""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning

from chestxpert.evaluation.hierarchy import hierarchical_counts, hierarchical_scores
from chestxpert.labels import CXRLT20, NIH15, LabelSpace
from chestxpert.taxonomy import Taxonomy, taxonomy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what its imports warn of is not ours
    hiclass = pytest.importorskip("hiclass.metrics")

TREES = [taxonomy(name, space) for space in (NIH15, CXRLT20) for name in ("study", "clinical")]


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
    theirs: Callable[..., float] = (hiclass.precision, hiclass.recall, hiclass.f1)[place]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        expected = theirs(paths_of(truth, tree, width), paths_of(decisions, tree, width))
    assert ours[place] == pytest.approx(float(expected), abs=1e-12)


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
