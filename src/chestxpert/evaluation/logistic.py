"""Logistic regression by Newton's method, with an optional ridge: a few columns, many rows, NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.metrics import FloatArray

_STEPS = 50
_TOLERANCE = 1e-8


@dataclass(frozen=True, eq=False)
class _Problem:
    """What is maximised: a penalised log-likelihood of n weighted rows.

    Parameters
    ----------
    design : (1 + p, n) float64 array
        Ones, then the columns; laid out so that products run along memory.
    held, often, shift : (n,) float64 arrays
        Truth as 0 and 1, weights, and what is added to the linear predictor.
    penalty : (1 + p,) float64 array
    """

    design: FloatArray
    held: FloatArray
    often: FloatArray
    shift: FloatArray
    penalty: FloatArray

    def at(self, beta: FloatArray) -> tuple[float, FloatArray]:
        """Minus the objective, and the (n,) probabilities."""
        linear = beta @ self.design + self.shift
        small = np.exp(-np.abs(linear))
        probs = np.where(linear >= 0, 1.0, small) / (1.0 + small)
        losses = np.maximum(linear, 0.0) - self.held * linear + np.log1p(small)
        return float(self.often @ losses + (self.penalty * beta**2).sum() / 2), probs

    def step(self, beta: FloatArray, probs: FloatArray) -> FloatArray | None:
        """Newton's step; None where there is none."""
        gradient = self.design @ (self.often * (self.held - probs)) - self.penalty * beta
        curvature = (self.design * (self.often * probs * (1 - probs))) @ self.design.T + np.diag(self.penalty)
        try:
            return np.asarray(np.linalg.solve(curvature, gradient))
        except np.linalg.LinAlgError:
            return None


def fit_logistic(
    columns: npt.ArrayLike,
    truth: npt.ArrayLike,
    ridge: float = 0.0,
    offset: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    start: npt.ArrayLike | None = None,
) -> FloatArray:
    """Coefficients that maximise the likelihood of `truth`, less ridge / 2 times their squares.

    Newton's method with step halving, which is iteratively reweighted least squares (McCullagh and Nelder, Generalized
    linear models, 1989, section 4.4). The first coefficient is the intercept and has no ridge, so ``ridge = 1 / C`` is
    scikit-learn's ``LogisticRegression(C=C)``.

    Parameters
    ----------
    columns : (n, p) array
        Without a column of ones.
    truth : (n,) array in [0, 1]
        Answers, or probabilities of them.
    ridge : float
        At least 0.
    offset : (n,) array, optional
        Added to the linear predictor as it is.
    weights : (n,) array, optional
        How often each row counts, at least 0; once by default.
    start : (1 + p,) array, optional
        Where to begin, 0 by default; the answer does not depend on it.

    Returns
    -------
    (1 + p,) float64 array; NaN where no finite maximum was found: one class alone, or classes that a line separates
    and no ridge.
    """
    held = np.asarray(truth, dtype=np.float64)
    design = np.vstack([np.ones(len(held)), np.asarray(columns, dtype=np.float64).T])
    often = np.ones(len(held)) if weights is None else np.asarray(weights, dtype=np.float64)
    shift = np.zeros(len(held)) if offset is None else np.asarray(offset, dtype=np.float64)
    if not often @ held or not often @ (1 - held):
        return np.full(len(design), np.nan)
    penalty = np.full(len(design), float(ridge))
    penalty[0] = 0.0
    begin = np.zeros(len(design)) if start is None else np.asarray(start, dtype=np.float64)
    return _maximise(_Problem(design, held, often, shift, penalty), begin)


def _maximise(problem: _Problem, beta: FloatArray) -> FloatArray:
    """Newton's method from `beta`; NaN where it does not arrive."""
    value, probs = problem.at(beta)
    for _ in range(_STEPS):
        step = problem.step(beta, probs)
        if step is None:
            break
        scale = 1.0
        while True:
            moved = beta + scale * step
            reached, probs = problem.at(moved)
            if reached <= value + 1e-12 * abs(value) or scale < _TOLERANCE:
                break
            scale /= 2
        beta, value = moved, reached
        if np.abs(scale * step).max() < _TOLERANCE * (1 + np.abs(beta).max()):
            return beta
    return np.full(len(beta), np.nan)
