"""Thresholds, chosen on validation rows and nowhere else.

Nothing here knows of a test set: the functions take the validation arrays and give numbers back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.metrics import BoolArray, FloatArray
from chestxpert.taxonomy import Taxonomy

FALLBACK = 0.5
"""Threshold of a finding that no validation row is known to carry, so that there is none to choose."""

Choice = Callable[[BoolArray, FloatArray], float | None]
"""A rule: the threshold of (n,) truth and scores, or None where there is none to choose."""


@dataclass(frozen=True)
class Thresholds:
    """One threshold a column; a decision is positive from its threshold upwards.

    Parameters
    ----------
    values : (K,) float64 array
    fallback : (K,) bool array
        Where the rows gave nothing to choose from (no positive one, above all), and `FALLBACK` stands.
    """

    values: FloatArray
    fallback: BoolArray

    def decide(self, probs: npt.ArrayLike) -> BoolArray:
        """(N, K) decisions from (N, K) probabilities."""
        return np.asarray(np.asarray(probs) >= self.values)


def best_f1_threshold(truth: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """Threshold with the highest F1 on these rows.

    It lies half-way between the lowest score it lets through and the highest it keeps out, or on the lowest score
    of all where it lets everything through. Of several that are equally good the highest is taken, which raises
    the fewest false alarms.

    Parameters
    ----------
    truth : (N,) bool array
    scores : (N,) array of real numbers

    Returns
    -------
    float, or None where no row is positive.
    """
    held = np.asarray(truth, dtype=np.bool_)
    values = np.asarray(scores, dtype=np.float64)
    if not held.any():
        return None
    order = np.argsort(-values)  # equal scores in any order: no cut lies between them
    values, held = values[order], held[order]
    ends = np.flatnonzero(np.append(np.diff(values) != 0, True))
    hits = np.cumsum(held)[ends]
    best = int(np.argmax(2 * hits / (ends + 1 + hits[-1])))
    last = int(ends[best])
    if last + 1 == len(values):
        return float(values[last])
    middle = (values[last] + values[last + 1]) / 2
    # Two neighbouring floats have no number between them.
    return float(middle if middle > values[last + 1] else values[last])


def f1_thresholds(truth: npt.ArrayLike, probs: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> Thresholds:
    """F1-optimal threshold of each column; see `chosen_thresholds`."""
    return chosen_thresholds(truth, probs, mask)


def chosen_thresholds(
    truth: npt.ArrayLike,
    probs: npt.ArrayLike,
    mask: npt.ArrayLike | None = None,
    choose: Choice = best_f1_threshold,
) -> Thresholds:
    """Threshold of each column, from validation rows.

    Parameters
    ----------
    truth : (N, K) bool array
    probs : (N, K) array of probabilities
    mask : (N, K) bool array, optional
        Rows that count for a column; all by default.
    choose : callable
        Gives the threshold of (n,) truth and scores, or None where there is none to choose; the highest F1 by default.

    Returns
    -------
    Thresholds

    Raises
    ------
    PredictionsError
        If the shapes differ.
    """
    held, values = np.asarray(truth, dtype=np.bool_), np.asarray(probs, dtype=np.float64)
    use = np.ones_like(held) if mask is None else np.asarray(mask, dtype=np.bool_)
    if held.ndim != 2 or not held.shape == values.shape == use.shape:
        raise PredictionsError(
            "Truth, probabilities and mask must have one shape (images, labels), but got "
            f"{held.shape}, {values.shape} and {use.shape}."
        )
    found = [choose(held[use[:, k], k], values[use[:, k], k]) for k in range(held.shape[1])]
    return Thresholds(
        values=np.array([FALLBACK if value is None else value for value in found]),
        fallback=np.array([value is None for value in found], dtype=np.bool_),
    )


def node_thresholds(
    labels: BoolArray,
    conditionals: npt.ArrayLike,
    taxonomy: Taxonomy,
    known: BoolArray | None = None,
    choose: Choice = best_f1_threshold,
) -> Thresholds:
    """Threshold of each node of a tree, from the validation rows where its parent is known to hold.

    Parameters
    ----------
    labels : (N, K) bool array in label order
    conditionals : (N, M) array
        Probability of each node given its parent.
    taxonomy : Taxonomy
    known : (N, K) bool array, optional
        Where the labels are known; everywhere by default.
    choose : callable
        As for `chosen_thresholds`.

    Returns
    -------
    Thresholds with M values in node order.
    """
    return chosen_thresholds(taxonomy.targets(labels, known), conditionals, taxonomy.mask(labels, known), choose)
