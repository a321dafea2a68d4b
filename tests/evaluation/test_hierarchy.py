from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from chestxpert.evaluation.hierarchy import hierarchical_counts, hierarchical_scores, with_ancestors
from chestxpert.labels import NIH15, LabelSpace
from chestxpert.taxonomy import Decision, Taxonomy


def enlarged(labels: np.ndarray, tree: Taxonomy) -> set[str]:
    """Sets as in the paper: every label with all of its ancestors."""
    names = {name for name, held in zip(tree.label_space.labels, labels, strict=True) if held}
    return names | {above for name in names if name != "No Finding" for above in tree.ancestors(name)}


def test_equals_the_papers_sets(tree: Taxonomy) -> None:
    rng = np.random.default_rng(0)
    truth, decided = rng.random((2, 80, 15)) < 0.15
    counts = hierarchical_counts(truth, decided, tree)
    for row in range(80):
        held, said = enlarged(truth[row], tree), enlarged(decided[row], tree)
        assert counts[row].tolist() == [len(held & said), len(said), len(held)]


def test_a_near_miss_costs_less_than_a_far_one(tree: Taxonomy) -> None:
    truth = np.array([NIH15.encode(["Hernia"])])
    near, far = np.array([NIH15.encode(["Fibrosis"])]), np.array([NIH15.encode(["No Finding"])])
    precision, recall, f1 = hierarchical_scores(hierarchical_counts(truth, near, tree).sum(axis=0))
    assert (precision, recall, f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert hierarchical_scores(hierarchical_counts(truth, far, tree).sum(axis=0))[2] == 0


def test_the_study_tree_has_no_finding_as_a_node_and_no_root(tree: Taxonomy) -> None:
    nothing = with_ancestors(np.array([NIH15.encode(["No Finding"])]), tree)
    assert nothing.shape == (1, len(tree.nodes) + 1)
    assert nothing.sum() == 1


def test_scores_are_undefined_where_nothing_is_there() -> None:
    precision, recall, f1 = hierarchical_scores([0, 0, 3])
    assert np.isnan(precision)
    assert recall == 0
    assert f1 == 0
    assert np.isnan(hierarchical_scores([0, 0, 0])[2])


def test_a_label_space_without_no_finding_has_nodes_alone() -> None:
    space = LabelSpace("two", ("Mass", "Nodule"), no_finding=None)
    tree = Taxonomy("t", space, (Decision("A", None, ("Mass", "Nodule")),))
    assert with_ancestors(np.array([[True, False]]), tree).tolist() == [[True, False]]


def test_with_unknown_labels_the_papers_sets_are_cut_down_to_what_is_known(
    tree: Taxonomy, hide: Callable[..., np.ndarray]
) -> None:
    rng = np.random.default_rng(1)
    truth = rng.random((120, 15)) < 0.1
    truth[:, NIH15.index("No Finding")] = ~truth[:, :14].any(axis=1)
    decided, known = rng.random((120, 15)) < 0.2, hide(truth, NIH15, 0.3)
    told = tree.known(truth, known)
    counts = hierarchical_counts(truth, decided, tree, known)
    assert (counts != hierarchical_counts(truth, decided, tree)).any()
    np.testing.assert_array_equal(counts, hierarchical_counts(truth ^ ~known, decided, tree, known))
    holds = tree.targets(truth, known)
    for row in range(120):
        counted = {node for node, is_known in zip(tree.nodes, told[row], strict=True) if is_known}
        if known[row, NIH15.index("No Finding")]:
            counted.add("No Finding")
        held = {node for node, is_held in zip(tree.nodes, holds[row], strict=True) if is_held}
        held |= enlarged(truth[row] & known[row], tree)
        said = enlarged(decided[row], tree) & counted
        assert held <= counted
        assert counts[row].tolist() == [len(held & said), len(said), len(held)]
