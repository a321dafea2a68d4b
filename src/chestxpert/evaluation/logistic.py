"""Logistic regression by Newton's method, with an optional ridge: a few columns, many rows, NumPy alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.metrics import BoolArray, FloatArray

_STEPS = 50
_TOLERANCE = 1e-9


def sigmoid(values: npt.ArrayLike) -> FloatArray:
    """1 / (1 + exp(-x)), without overflow."""
    x = np.asarray(values, dtype=np.float64)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def fit_logistic(
    columns: npt.ArrayLike,
    truth: npt.ArrayLike,
    ridge: float = 0.0,
    offset: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
) -> FloatArray:
    """Coefficients that maximise the likelihood of `truth`, less ridge / 2 times their squares.

    Newton's method with step halving, which is iteratively reweighted least squares (McCullagh and Nelder, Generalized
    linear models, 1989, section 4.4). The first coefficient is the intercept and has no ridge, so ``ridge = 1 / C`` is
    scikit-learn's ``LogisticRegression(C=C)``.

    Parameters
    ----------
    columns : (n, p) array
        Without a column of ones.
    truth : (n,) bool array
    ridge : float
        At least 0.
    offset : (n,) array, optional
        Added to the linear predictor as it is.
    weights : (n,) array, optional
        How often each row counts, at least 0; once by default.

    Returns
    -------
    (1 + p,) float64 array; NaN where no finite maximum was found: one class alone, or classes that a line separates
    and no ridge.
    """
    design = np.column_stack([np.ones(len(np.asarray(truth))), np.asarray(columns, dtype=np.float64)])
    held = np.asarray(truth, dtype=np.bool_)
    shift = np.zeros(len(held)) if offset is None else np.asarray(offset, dtype=np.float64)
    often = np.ones(len(held)) if weights is None else np.asarray(weights, dtype=np.float64)
    beta = np.zeros(design.shape[1])
    if not often[held].sum() or not often[~held].sum():
        return np.full(len(beta), np.nan)
    penalty = np.full(len(beta), float(ridge))
    penalty[0] = 0.0
    value = _objective(design @ beta + shift, held, often, beta, penalty)
    for _ in range(_STEPS):
        step = _newton_step(design, held, shift, often, beta, penalty)
        if step is None:
            break
        scale = 1.0
        while scale > _TOLERANCE:
            moved = beta + scale * step
            reached = _objective(design @ moved + shift, held, often, moved, penalty)
            if reached <= value + 1e-12 * abs(value):
                break
            scale /= 2
        beta, value = moved, reached
        if np.abs(scale * step).max() < _TOLERANCE * (1 + np.abs(beta).max()):
            return beta
    return np.full(len(beta), np.nan)


def _objective(linear: FloatArray, held: BoolArray, often: FloatArray, beta: FloatArray, penalty: FloatArray) -> float:
    """Minus the penalised log-likelihood."""
    return float(often @ np.logaddexp(0.0, np.where(held, -linear, linear)) + (penalty * beta**2).sum() / 2)


def _newton_step(
    design: FloatArray, held: BoolArray, shift: FloatArray, often: FloatArray, beta: FloatArray, penalty: FloatArray
) -> FloatArray | None:
    probs = sigmoid(design @ beta + shift)
    gradient = design.T @ (often * (held - probs)) - penalty * beta
    curvature = (design * (often * probs * (1 - probs))[:, None]).T @ design + np.diag(penalty)
    try:
        return np.asarray(np.linalg.solve(curvature, gradient))
    except np.linalg.LinAlgError:
        return None
