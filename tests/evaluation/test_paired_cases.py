"""Paired tables and equal numbers of decisions, against loops over runs and images."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.paired_cases import (
    Cases,
    Outcomes,
    drawn_alarms,
    drawn_recall,
    lost_counts,
    matched_recall,
    own_counts,
    paired_counts,
)
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.scored import Operating
from chestxpert.evaluation.weighted_ranking import drawn_hits
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy, taxonomy

CLINICAL = taxonomy("clinical", NIH15)
Built = tuple[Cohort, Cases, Outcomes, Outcomes]


def outcomes(cohort: Cohort, made: list[Predictions]) -> Outcomes:
    return Outcomes.of(made, [Operating.choose(run, cohort) for run in made], cohort, "test")


@pytest.fixture(scope="module", params=[0.0, 0.3], ids=["all known", "some unknown"])
def built(
    request: pytest.FixtureRequest,
    make_cohort: Callable[..., Cohort],
    hide: Callable[..., np.ndarray],
    make_predictions: Callable[..., Predictions],
) -> Built:
    """Two runs down the clinical tree and three flat ones."""
    cohort = make_cohort(hide=lambda labels: hide(labels, NIH15, request.param))
    trees = [make_predictions(cohort, 1.0, seed, CLINICAL) for seed in range(2)]
    flat = [make_predictions(cohort, 1.2, 10 + seed) for seed in range(3)]
    return cohort, Cases.of(cohort, "test"), outcomes(cohort, trees), outcomes(cohort, flat)


def where_lost(tree: Taxonomy, given_parent: np.ndarray, cut: np.ndarray, finding: str) -> str | None:
    for node in (*tree.ancestors(finding), finding):
        column = tree.nodes.index(node)
        if given_parent[column] < cut[column]:
            return tree.decision_of(node).name
    return None


def test_the_table_is_the_mean_over_all_pairs_of_runs(
    make_cohort: Callable[..., Cohort], make_predictions: Callable[..., Predictions], hide: Callable[..., np.ndarray]
) -> None:
    cohort = make_cohort(patients=60, hide=lambda labels: hide(labels, NIH15, 0.2))
    trees = [make_predictions(cohort, 1.0, seed, CLINICAL) for seed in range(2)]
    flats = [make_predictions(cohort, 1.2, 10 + seed) for seed in range(3)]
    cases = Cases.of(cohort, "test")
    cells = paired_counts(cases, outcomes(cohort, trees), outcomes(cohort, flats))
    rows = cohort.rows("test")
    truth, known = cohort.labels(rows), cohort.known(rows)
    sides = [[(*run.align(cohort, "test"), Operating.choose(run, cohort)) for run in runs] for runs in (trees, flats)]
    for finding in NIH15.findings:
        column = NIH15.index(finding)
        expected: dict[tuple[str, str | None], float] = {}
        for (_, given_parent, cut), (probs, _, flat_cut) in itertools.product(*sides):
            assert given_parent is not None
            assert cut.nodes is not None
            for row in range(len(rows)):
                if truth[row, column] and known[row, column]:
                    lost = where_lost(CLINICAL, given_parent[row], cut.nodes.values, finding)
                    flat_finds = probs[row, column] >= flat_cut.labels.values[column]
                    cell = {(True, True): "both", (True, False): "only_hierarchical", (False, True): "only_flat"}
                    key = (cell.get((lost is None, bool(flat_finds)), "neither"), lost)
                    expected[key] = expected.get(key, 0.0) + 1 / 6
        entry = cells[finding]
        for name in ("both", "only_hierarchical"):
            assert entry[name] == pytest.approx(expected.get((name, None), 0.0))
        for name in ("only_flat", "neither"):
            for decision, count in entry[name].items():
                assert count == pytest.approx(expected.get((name, decision), 0.0))


def test_the_cells_add_up_to_what_each_side_finds_and_loses(built: Built) -> None:
    _, cases, tree, flat = built
    cells, own, other = paired_counts(cases, tree, flat), own_counts(cases, tree), own_counts(cases, flat)
    for k, (finding, entry) in enumerate(cells.items()):
        only_flat, neither = sum(entry["only_flat"].values()), sum(entry["neither"].values())
        assert entry["both"] + entry["only_hierarchical"] == pytest.approx(own[finding]["found"])
        assert entry["both"] + only_flat == pytest.approx(other[finding]["found"])
        assert entry["both"] + entry["only_hierarchical"] + only_flat + neither == pytest.approx(own[finding]["n"])
        lost = lost_counts(cases, tree, CLINICAL)[k]
        for decision, count in lost.items():
            assert entry["only_flat"][decision] + entry["neither"][decision] == pytest.approx(count)


def test_a_flat_recipe_against_itself_shows_what_the_seed_alone_does(built: Built) -> None:
    _, cases, _, flat = built
    for k, (finding, entry) in enumerate(own_counts(cases, flat).items()):
        pairs = list(itertools.permutations(range(3), 2))
        torn = [(flat.decided[a] & ~flat.decided[b] & cases.held)[:, k].sum() for a, b in pairs]
        assert entry["one_run_only"] == pytest.approx(np.mean(torn)), finding
        assert entry["false_alarms"] == pytest.approx(
            np.mean([(run & cases.told & ~cases.held)[:, k].sum() for run in flat.decided])
        )
    single = Outcomes(None, flat.refused[:1], flat.scores[:1])
    assert "one_run_only" not in own_counts(cases, single)["Mass"]


def test_a_pair_needs_a_tree(built: Built) -> None:
    _, cases, _, flat = built
    with pytest.raises(ValueError, match="must go down a tree"):
        paired_counts(cases, flat, flat)


def taken(truth: np.ndarray, scores: np.ndarray, called: float) -> float:
    """Cases among the `called` highest scores; the last group of ties is taken in part."""
    found, left = 0.0, called
    for score in sorted(set(scores), reverse=True):
        group = truth[scores == score]
        part = min(1.0, left / len(group))
        found, left = found + part * group.sum(), left - part * len(group)
    return found


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.sampled_from([2, 5, 10_000]), st.floats(0, 1))
def test_hits_among_the_highest_are_those_of_copies_counted_one_by_one(
    seed: int, rows: int, levels: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((rows, 2)) < share
    scores = rng.integers(0, levels, (rows, 2)) / levels
    known = rng.random((rows, 2)) < 0.8
    draws = PatientDraws.draw(rng.integers(0, 6, rows).astype(str), 4, 1).after_sample()
    called = rng.random((5, 2, 3)) * rows
    hits = drawn_hits(truth, scores, called, draws, known)
    for draw in range(5):
        copies = np.repeat(np.arange(rows), draws.counts[draw][draws.patient_of_image])
        for label in range(2):
            told = copies[known[copies, label]]
            for choice in range(3):
                expected = taken(truth[told, label], scores[told, label], called[draw, label, choice])
                assert hits[draw, label, choice] == pytest.approx(expected, abs=1e-9)


def test_a_ranking_at_its_own_number_of_decisions_has_its_own_recall(built: Built) -> None:
    cohort, cases, _, flat = built
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 20, 0).after_sample()
    for run in range(3):
        alone = Outcomes(None, flat.refused[run : run + 1], flat.scores[run : run + 1])
        matched = matched_recall(cases, alone.scores, drawn_alarms(cases, alone, draws), draws)[..., 0]
        np.testing.assert_allclose(matched, drawn_recall(cases, alone, draws), atol=1e-12)


def test_matched_recall_is_the_mean_over_all_pairs(built: Built) -> None:
    cohort, cases, tree, flat = built
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 3, 0).after_sample()
    matched = matched_recall(cases, flat.scores, drawn_alarms(cases, tree, draws), draws).mean(axis=2)
    for k in range(len(cases.findings)):
        told = cases.told[:, k]
        pairs = [
            taken(cases.held[told, k], scores[told, k], (decided & cases.told)[:, k].sum())
            for scores in flat.scores
            for decided in tree.decided
        ]
        assert matched[0, k] == pytest.approx(np.mean(pairs) / cases.held[:, k].sum())
