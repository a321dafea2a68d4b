"""Early exit decides what hard routing of all answers decides, and asks no more than it must."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.evaluation.early_exit import EarlyExit, route_early, typical_rows
from chestxpert.evaluation.inference import conditionals_again
from chestxpert.labels import CXRLT20, NIH15
from chestxpert.taxonomy import Taxonomy, taxonomy

TREES = [taxonomy(name, space) for name in ("study", "clinical") for space in (NIH15, CXRLT20)]
RECORDS = [
    None,
    {"kind": "gated", "alpha": 0.5},
    {"kind": "soft", "temperatures": {"chosen_on": "val", "A": 2.0, "B": None, "C": 0.5}},
    {"kind": "gated", "alpha": 2.0, "temperatures": {"chosen_on": "val", "A": 0.7, "B": 3.0, "C": None}},
]


def drawn(tree: Taxonomy, images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Conditional probabilities with a few that lie on their threshold, and the thresholds."""
    rng = np.random.default_rng(seed)
    thresholds = rng.uniform(0.2, 0.8, len(tree.nodes))
    given = rng.random((images, len(tree.nodes)))
    return np.where(rng.random(given.shape) < 0.1, thresholds, given), thresholds


@given(st.sampled_from(TREES), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_its_decisions_are_those_of_all_answers(tree: Taxonomy, images: int, seed: int) -> None:
    given, thresholds = drawn(tree, images, seed)
    routed = EarlyExit(tree, thresholds).route_again(given)
    assert np.array_equal(routed.decisions, tree.route(given, thresholds))


@given(st.sampled_from(TREES), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_decision_is_asked_of_the_images_that_every_node_above_it_let_through(
    tree: Taxonomy, images: int, seed: int
) -> None:
    given, thresholds = drawn(tree, images, seed)
    seen: dict[str, list[int]] = {}

    def ask(name: str, rows: np.ndarray) -> np.ndarray:
        assert name not in seen
        assert len(rows)
        seen[name] = rows.tolist()
        return given[rows, tree.columns(name)]

    routed = route_early(tree, thresholds, images, ask)
    on = given >= thresholds
    for place, decision in enumerate(tree.decisions):
        above = () if decision.parent is None else (*tree.ancestors(decision.parent), decision.parent)
        columns = [tree.nodes.index(node) for node in above]
        expected = [image for image in range(images) if all(on[image, column] for column in columns)]
        assert np.flatnonzero(routed.asked[:, place]).tolist() == expected == seen.get(decision.name, [])
    shares = routed.shares(tree)
    assert shares[tree.decisions[0].name] == 1
    assert sum(shares.values()) == pytest.approx(routed.asked.sum() / images)


@pytest.mark.parametrize("record", RECORDS)
def test_from_logits_it_is_routed_as_predictions_were(record: dict[str, object] | None) -> None:
    tree = TREES[0]
    logits = np.random.default_rng(0).normal(0, 2, (200, len(tree.nodes)))
    given = conditionals_again(np.exp(-np.logaddexp(0.0, -logits)), record, tree)
    thresholds = np.median(given, axis=0)
    exit = EarlyExit(tree, thresholds, record)
    routed = exit.route(200, lambda name, rows: logits[rows, tree.columns(name)])
    again = exit.route_again(given)
    assert np.array_equal(routed.decisions, tree.route(given, thresholds))
    assert np.array_equal(routed.decisions, again.decisions)
    assert np.array_equal(routed.asked, again.asked)
    assert 0 < routed.asked[:, 2].sum() < routed.asked[:, 1].sum() < 200


def test_without_images_nothing_is_asked() -> None:
    tree = TREES[0]
    routed = EarlyExit(tree, np.full(len(tree.nodes), 0.5)).route(0, lambda name, rows: pytest.fail("asked"))
    assert routed.decisions.shape == (0, 15)
    assert all(np.isnan(share) for share in routed.shares(tree).values())


@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 2**32 - 1))
def test_typical_rows_of_a_chain_are_asked_in_its_shares(images: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    second = rng.random(images) < 0.6
    asked = np.column_stack([np.ones(images, dtype=bool), second, second & (rng.random(images) < 0.4)])
    rows = typical_rows(asked, count)
    assert rows.shape == (count,)
    assert ((rows >= 0) & (rows < images)).all()
    if count <= images:
        assert len(set(rows.tolist())) == count
    difference = np.abs(asked[rows].mean(axis=0) - asked.mean(axis=0))
    assert (difference <= 1 / count + 1e-12).all()
