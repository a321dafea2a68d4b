"""Logistic regression on a handful of features by Newton's method, for curves that are fitted by likelihood."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.calibration.curve import from_logits
from chestxpert.evaluation.metrics import FloatArray

_STEPS = 200
_CLOSE = 1e-9
_STEEPEST = 50.0
"""Largest weight of a feature of spread 1. Where positives and negatives are told apart without an error the
likelihood has no maximum and weights grow without end; this is where that is noticed."""


def fit_logistic(
    features: npt.ArrayLike, targets: npt.ArrayLike, offset: npt.ArrayLike | None = None
) -> FloatArray | None:
    """Weights and, last, intercept of the largest likelihood of targets given sigmoid(features w + b + offset).

    Newton's method with halved steps where a whole one would lower the likelihood (Lin, Lin and Weng, A note on
    Platt's probabilistic outputs for support vector machines, Machine Learning 68, 2007, algorithm 1), on features of
    mean 0 and spread 1.

    Parameters
    ----------
    features : (n, F) array
        F may be 0: then the intercept alone is fitted.
    targets : (n,) array in [0, 1]
        Answers, or probabilities of them.
    offset : (n,) array, optional
        Added to the logits as it is; 0 by default.

    Returns
    -------
    (F + 1,) float64 array, or None where a feature is constant or the likelihood has no maximum.
    """
    raw, wanted = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    fixed = np.zeros(len(wanted)) if offset is None else np.asarray(offset, dtype=np.float64)
    center, spread = raw.mean(axis=0), raw.std(axis=0)
    if (spread <= 1e-12 * np.maximum(1.0, np.abs(center))).any():
        return None
    design = np.column_stack([(raw - center) / spread, np.ones(len(raw))])
    found = _newton(design, wanted, fixed)
    if found is None:
        return None
    weights = found[:-1] / spread
    return np.append(weights, found[-1] - weights @ center)


def _newton(design: FloatArray, targets: FloatArray, offset: FloatArray) -> FloatArray | None:
    weights = np.zeros(design.shape[1])
    loss = _loss(design @ weights + offset, targets)
    for _ in range(_STEPS):
        probs = from_logits(design @ weights + offset)
        slope = design.T @ (probs - targets)
        curvature = (design * (probs * (1 - probs))[:, None]).T @ design
        try:
            step = np.linalg.solve(curvature, slope)
        except np.linalg.LinAlgError:
            return None
        if np.abs(step).max() < _CLOSE:
            return weights
        size = 1.0
        while (new := _loss(design @ (weights - size * step) + offset, targets)) > loss and size > 1e-10:
            size /= 2
        if size <= 1e-10:  # no better float64 along the step: the minimum, unless the slope says otherwise
            return weights if np.abs(slope).max() < 1e-6 * len(targets) else None
        weights, loss = weights - size * step, new
        if np.abs(weights[:-1]).max(initial=0.0) > _STEEPEST:
            return None
    return None


def _loss(logits: FloatArray, targets: FloatArray) -> float:
    """Negative log-likelihood."""
    return float((np.logaddexp(0.0, logits) - targets * logits).sum())
