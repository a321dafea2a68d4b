"""Probabilities and their logits: the one place where one becomes the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.metrics import FloatArray

WIDEST = 40.0
"""Largest logit that a fit sees: what stored probabilities of 0 and 1 stand for."""


def sigmoid(logits: npt.ArrayLike) -> FloatArray:
    """1 / (1 + exp(-x)) of any shape, without overflow; above 0 down to the smallest number of a float64."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(logits, dtype=np.float64))))


def logit(probs: npt.ArrayLike, nearest: float = 0.0) -> FloatArray:
    """log(p / (1 - p)) of any shape.

    Parameters
    ----------
    probs : array in [0, 1]
    nearest : float
        Probabilities are kept this far from 0 and 1 first. With 0 the logits there are minus and plus infinity.
    """
    values = np.asarray(probs, dtype=np.float64)
    if nearest > 0:
        values = np.clip(values, nearest, 1 - nearest)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(values) - np.log1p(-values))


def finite_logit(probs: npt.ArrayLike) -> FloatArray:
    """`logit`, cut off at `WIDEST` to either side."""
    return np.clip(logit(probs), -WIDEST, WIDEST)
