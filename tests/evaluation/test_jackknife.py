from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import average_precision
from chestxpert.evaluation.uncertainty.jackknife import (
    acceleration,
    influences,
    jackknife_bias,
    jackknife_error,
    leave_out,
)
from chestxpert.evaluation.weighted_ranking import drawn_ranking

VALUES = st.lists(st.floats(-5, 5), min_size=3, max_size=30)


def draws_of(owner: np.ndarray) -> PatientDraws:
    return PatientDraws.draw([f"{patient:04d}" for patient in owner], 1, 0)


def test_each_draw_leaves_one_patient_out_with_all_images() -> None:
    owner = np.repeat(np.arange(12), 3)
    weights = leave_out(draws_of(owner)).counts[:, owner]
    np.testing.assert_array_equal(weights, (np.arange(12)[:, None] != owner).astype(int))


def test_more_patients_than_groups_are_left_out_several_at_a_time() -> None:
    without = leave_out(draws_of(np.arange(23)), most=5)
    assert len(without) == 5
    left_out = 1 - without.counts
    np.testing.assert_array_equal(left_out.sum(axis=0), 1)
    assert set(left_out.sum(axis=1)) == {4, 5}


def test_metrics_without_a_patient_are_those_of_the_other_rows() -> None:
    rng = np.random.default_rng(0)
    owner, truth, scores = np.arange(30) // 3, rng.random((30, 2)) < 0.4, rng.random((30, 2))
    _, precision = drawn_ranking(truth, scores, leave_out(draws_of(owner)))
    for patient in range(10):
        np.testing.assert_allclose(
            precision[patient], average_precision(truth[owner != patient], scores[owner != patient])
        )


@given(VALUES)
def test_of_a_mean_the_error_is_the_known_one_and_there_is_no_bias(values: list[float]) -> None:
    data = np.array(values)
    moves = influences((data.sum() - data) / (len(data) - 1), data.mean())
    np.testing.assert_allclose(moves, data - data.mean(), atol=1e-9)
    assert jackknife_bias(moves) == pytest.approx(0, abs=1e-9)
    assert jackknife_error(moves) == pytest.approx(data.std(ddof=1) / len(data) ** 0.5, abs=1e-9)


@given(VALUES)
def test_of_a_variance_the_bias_is_taken_out_exactly(values: list[float]) -> None:
    """Efron and Tibshirani, chapter 11: the plug-in variance less its jackknife bias is the unbiased one."""
    data = np.array(values)
    left_out = np.array([np.delete(data, row).var() for row in range(len(data))])
    assert data.var() - jackknife_bias(influences(left_out, data.var())) == pytest.approx(data.var(ddof=1), abs=1e-7)


def test_acceleration_is_the_skewness_of_the_influences_over_six() -> None:
    moves = np.array([0.0, 0.0, 0.0, 4.0])
    centred = moves - 1
    assert acceleration(moves) == pytest.approx((centred**3).sum() / (6 * (centred**2).sum() ** 1.5))
    assert acceleration(np.zeros(5)) == 0
    assert acceleration(-moves) == pytest.approx(-acceleration(moves))


def test_a_patient_without_whom_nothing_is_left_to_measure_moves_nothing() -> None:
    moves = influences([[0.5, np.nan], [0.7, 0.4]], [0.6, 0.4])
    np.testing.assert_allclose(moves, [[0.1, 0.0], [-0.1, 0.0]])
    assert np.isnan(influences([[0.5]], [np.nan])).all()


def test_groups_give_nearly_the_error_of_single_patients() -> None:
    rng = np.random.default_rng(3)
    owner = np.repeat(np.arange(600), 2)
    truth = rng.random((1200, 1)) < 0.2
    scores, draws = truth + rng.normal(size=(1200, 1)), draws_of(owner)
    whole = average_precision(truth, scores)
    single, grouped = (
        jackknife_error(influences(drawn_ranking(truth, scores, leave_out(draws, most))[1], whole))
        for most in (600, 100)
    )
    assert grouped[0] == pytest.approx(single[0], rel=0.2)
