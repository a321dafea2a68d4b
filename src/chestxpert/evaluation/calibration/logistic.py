"""Logistic regression on a handful of features of any scale, for curves that are fitted by likelihood."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation import logistic
from chestxpert.evaluation.metrics import FloatArray

_STEEPEST = 50.0
"""Largest weight of a feature of spread 1. Where positives and negatives are told apart without an error the
likelihood has no maximum and weights grow without end; this is where that is noticed."""


def fit_logistic(
    features: npt.ArrayLike, targets: npt.ArrayLike, offset: npt.ArrayLike | None = None
) -> FloatArray | None:
    """Weights and, last, intercept of the largest likelihood of targets given sigmoid(features w + b + offset).

    `evaluation.logistic` on features of mean 0 and spread 1.

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
    raw = np.asarray(features, dtype=np.float64)
    center, spread = raw.mean(axis=0), raw.std(axis=0)
    if (spread <= 1e-12 * np.maximum(1.0, np.abs(center))).any():
        return None
    found = logistic.fit_logistic((raw - center) / spread, targets, offset=offset)
    if np.isnan(found).any() or np.abs(found[1:]).max(initial=0.0) > _STEEPEST:
        return None
    weights = found[1:] / spread
    return np.append(weights, found[0] - weights @ center)
