"""Decision curves: what deciding by a model is worth, at each price of a false alarm.

Vickers and Elkin, Decision curve analysis, Medical Decision Making 26, 2006: somebody who acts from a probability t on
holds a false alarm to cost t / (1 - t) of what finding a case gains. The net benefit of deciding so on n images is

    TP / n - FP / n * t / (1 - t),

in cases found for each image, false alarms paid for. A model is of use at t if it beats both acting on every image and
acting on none (which is 0 everywhere).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.errors import UsageError
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import FloatArray, known_columns, pair, ratio

THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Dense where rare findings are: a threshold far above the prevalence is one at which nobody acts."""


def net_benefit(
    truth: npt.ArrayLike,
    probs: npt.ArrayLike,
    thresholds: npt.ArrayLike = THRESHOLDS,
    known: npt.ArrayLike | None = None,
    draws: PatientDraws | None = None,
) -> FloatArray:
    """Net benefit of deciding by the probabilities.

    Parameters
    ----------
    truth : (N, K) bool array
    probs : (N, K) array of probabilities
    thresholds : (T,) array in [0, 1)
        A probability of at least the threshold is acted on.
    known : (N, K) bool array, optional
    draws : PatientDraws, optional
        Over the same images.

    Returns
    -------
    (T, K) float64 array, or (D, T, K) with draws; at most the prevalence. NaN where no image is known.

    Raises
    ------
    UsageError
        If a threshold is not in [0, 1).
    """
    held, values = pair(truth, probs, "probabilities")
    price = _price(thresholds)
    mask = known_columns(known, held.shape)
    told = np.ones_like(held) if mask is None else mask
    # A case found gains 1, a false alarm loses its price.
    limits = np.asarray(thresholds, dtype=np.float64)
    worth = [
        np.where(told & (values >= limit), np.where(held, 1.0, -cost), 0.0)
        for limit, cost in zip(limits, price, strict=True)
    ]
    if draws is None:
        return ratio([images.sum(axis=0) for images in worth], told.sum(axis=0))
    sums = draws.totals(np.hstack([*worth, told])).reshape(len(draws), len(worth) + 1, held.shape[1])
    return ratio(sums[:, :-1], sums[:, -1:])


def treat_all(prevalence: npt.ArrayLike, thresholds: npt.ArrayLike = THRESHOLDS) -> FloatArray:
    """Net benefit of acting on every image, (..., T, K) from (..., K) prevalences: p - (1 - p) t / (1 - t)."""
    share = np.asarray(prevalence, dtype=np.float64)[..., None, :]
    return np.asarray(share - (1 - share) * _price(thresholds)[:, None])


def _price(thresholds: npt.ArrayLike) -> FloatArray:
    values = np.asarray(thresholds, dtype=np.float64)
    if not ((values >= 0) & (values < 1)).all():
        raise UsageError(f"Thresholds of a decision curve lie in [0, 1), but got {values.tolist()}.")
    return np.asarray(values / (1 - values))
