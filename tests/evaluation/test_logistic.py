from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from chestxpert.evaluation.log_odds import sigmoid
from chestxpert.evaluation.logistic import fit_logistic


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([0.01, 1.0, 20.0]))
def test_coefficients_are_scikit_learns(seed: int, width: int, ridge: float) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(120, width))
    truth = rng.random(120) < sigmoid(columns @ rng.normal(size=width) - 1)
    truth[:2] = [True, False]
    oracle = LogisticRegression(C=1 / ridge, tol=1e-10, max_iter=10_000).fit(columns, truth)
    expected = [*oracle.intercept_, *oracle.coef_[0]]
    np.testing.assert_allclose(fit_logistic(columns, truth, ridge), expected, atol=1e-4)


def test_without_ridge_it_is_the_maximum_of_the_likelihood() -> None:
    rng = np.random.default_rng(5)
    x, shift = rng.normal(size=(80, 2)), rng.normal(size=80)
    truth = rng.random(80) < 0.4
    found = fit_logistic(x, truth, offset=shift)

    def loss(beta: np.ndarray) -> float:
        linear = beta[0] + x @ beta[1:] + shift
        return float(np.logaddexp(0, np.where(truth, -linear, linear)).sum())

    best = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(found, best.x, atol=1e-5)


def test_steps_that_go_too_far_are_halved() -> None:
    """From 0, a whole Newton step overshoots where a few rows have large predictors and a large offset."""
    x = np.array([[-40.0], [-1.0], [1.0], [60.0], [0.5]])
    truth = np.array([False, True, False, True, True])
    found = fit_logistic(x, truth, ridge=1e-3, offset=np.array([9.0, -9.0, 5.0, -30.0, 0.0]))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("truth", [[False, False, False], [True, True, True], [False, False, True]])
def test_where_there_is_no_finite_maximum_there_is_no_answer(truth: list[bool]) -> None:
    assert np.isnan(fit_logistic(np.array([[0.0], [1.0], [2.0]]), truth)).all()


def test_weights_count_rows_several_times() -> None:
    rng = np.random.default_rng(7)
    x, truth, weights = rng.normal(size=(30, 2)), rng.random(30) < 0.5, rng.integers(0, 4, 30)
    repeated = np.repeat(np.arange(30), weights)
    found = fit_logistic(x, truth, 0.5, weights=weights)
    np.testing.assert_allclose(found, fit_logistic(x[repeated], truth[repeated], 0.5), atol=1e-7)
    assert np.isnan(fit_logistic(x, truth, 0.5, weights=truth)).all()


def test_the_answer_does_not_depend_on_the_start() -> None:
    rng = np.random.default_rng(8)
    x, truth = rng.normal(size=(60, 2)), rng.random(60) < 0.3
    found = fit_logistic(x, truth, start=[5.0, -3.0, 8.0])
    np.testing.assert_allclose(found, fit_logistic(x, truth), atol=1e-7)
