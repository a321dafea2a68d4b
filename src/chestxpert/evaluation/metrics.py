"""Metrics: pure functions of arrays, one value a label, undefined is NaN.

Arrays are (N, K): N images, K labels in label-space order. ``truth`` and ``decisions`` are boolean, ``probs`` are
real numbers where larger means likelier. A metric of a label without positives is NaN, and so is AUROC without
negatives and precision where nothing was decided to hold: nothing was measured there, and 0 would be a claim.
`macro` averages what is defined and `n_defined` says over how many labels that was.

Every metric takes ``known``, an optional (N, K) boolean array of the entries whose truth is known. A label is then
measured on its own known images alone, as if the others were not there; what ``truth`` says of them does not matter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from chestxpert.errors import PredictionsError

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def pair(truth: npt.ArrayLike, other: npt.ArrayLike, what: str) -> tuple[BoolArray, FloatArray]:
    """Both arrays checked: two axes, one shape, no NaN."""
    held = np.asarray(truth, dtype=np.bool_)
    values = np.asarray(other, dtype=np.float64)
    if held.ndim != 2 or held.shape != values.shape:
        raise PredictionsError(
            f"Truth and {what} must both have shape (images, labels), but got {held.shape} and {values.shape}."
        )
    if np.isnan(values).any():
        raise PredictionsError(f"There are NaNs among the {what}. Look for a run whose training diverged.")
    return held, values


def known_columns(known: npt.ArrayLike | None, shape: tuple[int, ...]) -> BoolArray | None:
    """`known` checked against the shape of the truth; None where that is all of it, so that nothing need be masked."""
    if known is None:
        return None
    mask = np.asarray(known, dtype=np.bool_)
    if mask.shape != shape:
        raise PredictionsError(f"What is known must have the shape of the truth, {shape}, but got {mask.shape}.")
    return None if mask.all() else mask


def _each_label(
    metric: Callable[[BoolArray, FloatArray], float], held: BoolArray, scores: FloatArray, known: npt.ArrayLike | None
) -> FloatArray:
    """(K,) values of `metric` on the known images of each label."""
    mask = known_columns(known, held.shape)
    if mask is None:
        return np.array([metric(held[:, k], scores[:, k]) for k in range(held.shape[1])])
    return np.array([metric(held[mask[:, k], k], scores[mask[:, k], k]) for k in range(held.shape[1])])


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> FloatArray:
    """Elementwise quotient, NaN where the denominator is 0; without a warning."""
    top, bottom = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0))


def macro(values: npt.ArrayLike, axis: int = -1) -> FloatArray:
    """Mean along `axis` over the values that are defined; NaN where none is."""
    array = np.asarray(values, dtype=np.float64)
    return ratio(np.nansum(array, axis=axis), n_defined(array, axis=axis))


def n_defined(values: npt.ArrayLike, axis: int = -1) -> npt.NDArray[np.int64]:
    """How many values along `axis` are not NaN."""
    return np.asarray((~np.isnan(np.asarray(values, dtype=np.float64))).sum(axis=axis), dtype=np.int64)


def auroc(truth: npt.ArrayLike, probs: npt.ArrayLike, known: npt.ArrayLike | None = None) -> FloatArray:
    """Area under the ROC curve: the chance that a positive scores above a negative, a tie counting one half.

    Computed from average ranks (Hanley and McNeil, Radiology 143, 1982: the Wilcoxon statistic).

    Parameters
    ----------
    truth : (N, K) bool array
    probs : (N, K) array of real numbers
    known : (N, K) bool array, optional

    Returns
    -------
    (K,) float64 array in [0, 1]; NaN without positives or without negatives.
    """
    return _each_label(_auroc, *pair(truth, probs, "probabilities"), known)


def _auroc(held: BoolArray, scores: FloatArray) -> float:
    positives = int(held.sum())
    negatives = len(held) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    order = np.argsort(scores)
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    size = np.diff(ends, prepend=-1)
    ranks = float((np.diff(np.cumsum(held[order])[ends], prepend=0) * (ends + 1 - (size - 1) / 2)).sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(truth: npt.ArrayLike, probs: npt.ArrayLike, known: npt.ArrayLike | None = None) -> FloatArray:
    """Average precision: the sum over thresholds of (R_n - R_{n-1}) P_n, a step function without interpolation.

    This is scikit-learn's ``average_precision_score``; equal scores share one threshold. A score that says nothing
    reaches the prevalence, not one half.

    Parameters
    ----------
    truth : (N, K) bool array
    probs : (N, K) array of real numbers
    known : (N, K) bool array, optional

    Returns
    -------
    (K,) float64 array in [0, 1]; NaN without positives.
    """
    return _each_label(_average_precision, *pair(truth, probs, "probabilities"), known)


def _average_precision(held: BoolArray, scores: FloatArray) -> float:
    if not held.any():
        return float("nan")
    order = np.argsort(-scores)  # equal scores in any order: they are one threshold
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    found = np.cumsum(held[order])[ends]
    steps = np.diff(found, prepend=0)
    return float((steps * found / (ends + 1)).sum() / found[-1])


def decision_counts(
    truth: npt.ArrayLike, decisions: npt.ArrayLike, known: npt.ArrayLike | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Counts of true positives, of decided positives and of positives, all among known ones: three (K,) arrays."""
    held, decided = pair(truth, decisions, "decisions")
    mask = known_columns(known, held.shape)
    if mask is not None:
        held, decided = held & mask, decided * mask
    return (held * decided).sum(axis=0), decided.sum(axis=0), held.sum(axis=0).astype(np.float64)


def precision(truth: npt.ArrayLike, decisions: npt.ArrayLike, known: npt.ArrayLike | None = None) -> FloatArray:
    """(K,) share of the decided positives that are positive; NaN without positives or where none was decided."""
    hits, decided, positives = decision_counts(truth, decisions, known)
    return np.where(positives > 0, ratio(hits, decided), np.nan)


def recall(truth: npt.ArrayLike, decisions: npt.ArrayLike, known: npt.ArrayLike | None = None) -> FloatArray:
    """(K,) share of the positives that were decided to be; NaN without positives."""
    hits, _, positives = decision_counts(truth, decisions, known)
    return ratio(hits, positives)


def f1(truth: npt.ArrayLike, decisions: npt.ArrayLike, known: npt.ArrayLike | None = None) -> FloatArray:
    """(K,) F1, that is 2 TP / (2 TP + FP + FN); 0 where positives are there and none is found, NaN without any."""
    hits, decided, positives = decision_counts(truth, decisions, known)
    return np.where(positives > 0, ratio(2 * hits, decided + positives), np.nan)


def micro_f1(truth: npt.ArrayLike, decisions: npt.ArrayLike, known: npt.ArrayLike | None = None) -> float:
    """F1 of all known labels counted together; NaN where nothing is positive and nothing decided."""
    hits, decided, positives = decision_counts(truth, decisions, known)
    return float(ratio(2 * hits.sum(), decided.sum() + positives.sum()))


def exact_match(truth: npt.ArrayLike, decisions: npt.ArrayLike, known: npt.ArrayLike | None = None) -> float:
    """Share of the images whose every known label is decided rightly, among those with any; NaN without images."""
    held, decided = pair(truth, decisions, "decisions")
    mask = known_columns(known, held.shape)
    if mask is None:
        return float(ratio((held == decided).all(axis=1).sum(), len(held)))
    right, counted = ((held == decided) | ~mask).all(axis=1), mask.any(axis=1)
    return float(ratio((right & counted).sum(), counted.sum()))


def brier(truth: npt.ArrayLike, probs: npt.ArrayLike, known: npt.ArrayLike | None = None) -> FloatArray:
    """(K,) mean squared difference between probability and truth (Brier 1950), in [0, 1]; NaN only without images."""
    held, values = pair(truth, probs, "probabilities")
    mask = known_columns(known, held.shape)
    errors = (values - held) ** 2
    if mask is None:
        return ratio(errors.sum(axis=0), len(held))
    return ratio(np.where(mask, errors, 0.0).sum(axis=0), mask.sum(axis=0))
