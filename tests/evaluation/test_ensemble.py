"""One prediction of several: averages by hand, trees that stay trees, and what it costs."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.ensemble import AVERAGES, architecture_of, average_predictions, common_tree, total_cost
from chestxpert.evaluation.predictions import Predictions
from chestxpert.labels import NIH15, LabelSpace
from chestxpert.taxonomy import Taxonomy, taxonomy

MakePredictions = Callable[..., Predictions]
STUDY, CLINICAL = taxonomy("study", NIH15), taxonomy("clinical", NIH15)


@pytest.fixture(scope="module")
def small(make_cohort: Callable[..., Cohort]) -> Cohort:
    cohort: Cohort = make_cohort(40)
    return cohort


def test_averages_by_hand() -> None:
    space = LabelSpace("ab", ("a", "b"), None)
    labels = np.zeros((3, 2), bool)
    cohort = Cohort(make_table("xyz", "xyz", labels, space, split=["val", "test", "test"], source="s"), space)
    splits = ["test", "val", "test"]
    one = Predictions.from_arrays(["y", "x", "z"], splits, [[0.2, 0.5], [0.9, 0.1], [0.6, 0.5]], space)
    two = Predictions.from_arrays(["z", "x", "y"], ["test", "val", "test"], [[0.8, 0.1], [0.5, 0.5], [0.9, 0.3]], space)
    mean = average_predictions([one, two], cohort)
    assert mean.frame["image_id"].tolist() == ["x", "y", "z"], "members need not be in one order"
    np.testing.assert_allclose(mean.probs, [[0.7, 0.3], [0.55, 0.4], [0.7, 0.3]])
    logits = average_predictions([one, two], cohort, "logits").probs
    np.testing.assert_allclose(logits[0], [3 / 4, 1 / 4])  # the root of odds 9 and 1; of 1/9 and 1
    ranks = average_predictions([one, two], cohort, "ranks").probs
    np.testing.assert_allclose(ranks, [[0.5, 0.5], [0.5, 0.625], [0.5, 0.375]])  # y 1st and 2nd of two, z the other way


@pytest.mark.parametrize("average", AVERAGES)
def test_flat_members_are_averaged_label_by_label(
    average: str, small: Cohort, make_predictions: MakePredictions
) -> None:
    members = [make_predictions(small, seed=seed) for seed in range(3)]
    made = average_predictions(members, small, average)  # type: ignore[arg-type]
    for split in ("val", "test"):
        probs = np.stack([each.align(small, split)[0] for each in members])
        odds = np.prod((probs / (1 - probs)) ** (1 / 3), axis=0)
        ranks = np.mean([(rankdata(each, axis=0) - 0.5) / len(each) for each in probs], axis=0)
        expected = {"probs": sum(probs) / 3, "logits": odds / (1 + odds), "ranks": ranks}[average]
        np.testing.assert_allclose(made.align(small, split)[0], expected, rtol=1e-9)
    assert made.taxonomy is None


@pytest.mark.parametrize("tree", [STUDY, CLINICAL], ids=["study", "clinical"])
def test_a_mixture_of_hierarchies_is_the_mean_of_their_probabilities_and_a_hierarchy(
    tree: Taxonomy, small: Cohort, make_predictions: MakePredictions
) -> None:
    members = [make_predictions(small, seed=seed, tree=tree) for seed in range(3)]
    made = average_predictions(members, small)
    for split in ("val", "test"):
        probs, given_parent = made.align(small, split)
        np.testing.assert_allclose(probs, np.mean([each.align(small, split)[0] for each in members], axis=0), rtol=1e-9)
        assert given_parent is not None
        assert ((given_parent >= 0) & (given_parent <= 1)).all()
        for column, node in enumerate(tree.nodes):
            path = [tree.nodes.index(name) for name in (*tree.ancestors(node), node)]
            each = np.stack([np.asarray(one.align(small, split)[1])[:, path] for one in members])
            here, above = each.prod(axis=2).sum(axis=0), each[:, :, :-1].prod(axis=2).sum(axis=0)
            np.testing.assert_allclose(given_parent[:, column], here / above, rtol=1e-9)
    logits = average_predictions(members, small, "logits")
    for split in ("val", "test"):
        odds = np.stack([np.asarray(one.align(small, split)[1]) for one in members])
        mean = np.prod((odds / (1 - odds)) ** (1 / 3), axis=0)
        np.testing.assert_allclose(logits.align(small, split)[1], mean / (1 + mean), rtol=1e-9)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_a_parent_that_no_member_thinks_possible_is_no_division_by_zero(data: st.DataObject) -> None:
    values = st.sampled_from([0.0, 1e-300, 0.3, 1.0])
    width = len(STUDY.nodes)
    space = STUDY.label_space
    cohort = Cohort(make_table("x", "x", np.eye(1, 15, 14, dtype=bool), space, split="test", source="s"), space)
    members = []
    for _ in range(2):
        given_parent = np.array([data.draw(st.lists(values, min_size=width, max_size=width))])
        probs = STUDY.marginals_from_conditionals(given_parent)
        members.append(Predictions.from_arrays(["x"], "test", probs, space, given_parent, STUDY))
    for average in AVERAGES:
        made = average_predictions(members, cohort, average)
        assert np.isfinite(made.probs).all()
    mixture = average_predictions(members, cohort)
    np.testing.assert_allclose(mixture.probs, (members[0].probs + members[1].probs) / 2, atol=1e-12)


def test_members_without_one_tree_have_probabilities_alone(small: Cohort, make_predictions: MakePredictions) -> None:
    flat, one, other = (make_predictions(small, tree=tree) for tree in (None, STUDY, CLINICAL))
    for members in ([flat, one], [one, other]):
        assert common_tree(members) is None
        made = average_predictions(members, small)
        assert made.conditionals is None
        test = [each.align(small, "test")[0] for each in members]
        np.testing.assert_allclose(made.align(small, "test")[0], (test[0] + test[1]) / 2)
    assert average_predictions([one, one], small, "ranks").conditionals is None


def test_what_an_ensemble_is() -> None:
    assert architecture_of(["flat", "flat"], None) == "flat"
    assert architecture_of(["shared", "shared"], STUDY) == "shared"
    assert architecture_of(["shared", "cascade"], STUDY) == "hierarchical"
    assert architecture_of(["shared", "flat"], None) == "mixed"
    assert architecture_of(["shared", "shared"], None) == "mixed"


def test_an_ensemble_costs_what_its_members_cost() -> None:
    costs = [
        {"parameters": 4, "train_seconds": 1.5, "train_image_passes": 10, "ms_per_image": 2.0, "epochs": 3},
        {"parameters": 5, "train_seconds": 2.5, "train_image_passes": None, "ms_per_image": 3.0},
    ]
    expected = {"parameters": 9, "train_seconds": 4.0, "train_image_passes": None, "ms_per_image": 5.0}
    assert total_cost(costs) == expected
    assert total_cost([{}, costs[0]])["parameters"] is None


def test_members_must_be_several_and_of_one_cohort(
    small: Cohort, make_cohort: Callable[..., Cohort], make_predictions: MakePredictions
) -> None:
    with pytest.raises(PredictionsError, match="at least two members, but got 1"):
        average_predictions([make_predictions(small)], small)
    with pytest.raises(PredictionsError, match="no val prediction"):
        average_predictions([make_predictions(small), make_predictions(make_cohort(30))], small)
