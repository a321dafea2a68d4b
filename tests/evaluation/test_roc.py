from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score, roc_curve

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import auroc
from chestxpert.evaluation.roc import drawn_roc, partial_auroc, sensitivity_at_specificity

CASES = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.bool_, (n, 1)), hnp.arrays(np.float64, (n, 1), elements=st.integers(0, 12).map(lambda v: v / 12))
    )
)


@settings(max_examples=100, deadline=None)
@given(CASES, st.sampled_from([0.05, 0.1, 0.3, 0.75, 1.0]))
def test_partial_area_is_scikit_learns(case: tuple[np.ndarray, np.ndarray], max_fpr: float) -> None:
    truth, scores = case
    (value,) = partial_auroc(truth, scores, max_fpr)
    if truth.all() or not truth.any():
        assert np.isnan(value)
    else:
        assert value == pytest.approx(roc_auc_score(truth[:, 0], scores[:, 0], max_fpr=max_fpr))


@settings(max_examples=100, deadline=None)
@given(CASES, st.sampled_from([0.0, 0.5, 0.8, 0.9, 0.95, 1.0]))
def test_sensitivity_is_the_best_point_of_the_curve(case: tuple[np.ndarray, np.ndarray], wanted: float) -> None:
    truth, scores = case
    (value,) = sensitivity_at_specificity(truth, scores, wanted)
    if truth.all() or not truth.any():
        assert np.isnan(value)
        return
    false, true, _ = roc_curve(truth[:, 0], scores[:, 0], drop_intermediate=False)
    assert value == pytest.approx(true[1 - false >= wanted - 1e-9].max())


def test_the_whole_area_is_the_auroc_and_the_ends_are_what_they_should_be() -> None:
    rng = np.random.default_rng(0)
    truth, scores = rng.random((200, 3)) < 0.2, rng.random((200, 3))
    np.testing.assert_allclose(partial_auroc(truth, scores, 1.0), auroc(truth, scores))
    assert partial_auroc(truth, truth.astype(float), 0.1).tolist() == [1, 1, 1]
    np.testing.assert_allclose(partial_auroc(truth, np.zeros_like(scores), 0.1), 0.5)


def test_ten_per_cent_of_thirty_negatives_are_three() -> None:
    # Positives stand below exactly three of thirty negatives: 27 of 30 are left alone at the cut that finds them all.
    scores = np.concatenate([[0.9, 0.9, 0.9], np.full(5, 0.5), np.full(27, 0.1)])[:, None]
    truth = (scores == 0.5) & np.ones_like(scores, dtype=bool)
    assert sensitivity_at_specificity(truth, scores, 0.9).tolist() == [1.0]
    assert sensitivity_at_specificity(truth, scores, 0.91).tolist() == [0.0]


def test_unknown_images_are_as_if_they_were_not_there() -> None:
    rng = np.random.default_rng(2)
    truth, scores, known = rng.random((80, 2)) < 0.3, rng.random((80, 2)), rng.random((80, 2)) < 0.7
    for label in range(2):
        rows = known[:, label]
        mine = truth[rows, label : label + 1], scores[rows, label : label + 1]
        assert partial_auroc(truth, scores, 0.2, known)[label] == partial_auroc(*mine, 0.2)[0]
        assert sensitivity_at_specificity(truth, scores, 0.9, known)[label] == sensitivity_at_specificity(*mine, 0.9)[0]


def test_every_draw_is_the_curve_of_repeated_rows() -> None:
    rng = np.random.default_rng(3)
    truth, scores = rng.random((60, 2)) < 0.15, rng.integers(0, 20, (60, 2)) / 20
    known = rng.random((60, 2)) < 0.9
    draws = PatientDraws.draw([str(number // 2) for number in range(60)], 40, 0)
    sensitivities, areas = drawn_roc(truth, scores, draws, (0.9, 0.6), 0.1, known)
    for draw, weights in enumerate(draws.counts[:, draws.patient_of_image]):
        rows = np.repeat(np.arange(60), weights)
        mine = truth[rows], scores[rows]
        np.testing.assert_allclose(areas[draw], partial_auroc(*mine, 0.1, known[rows]))
        for row, wanted in enumerate((0.9, 0.6)):
            np.testing.assert_allclose(sensitivities[row, draw], sensitivity_at_specificity(*mine, wanted, known[rows]))
