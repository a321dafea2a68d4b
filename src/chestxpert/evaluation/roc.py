"""Parts of the ROC curve: its left end, and single points of it; on the images as they are or in bootstrap draws.

The points of the curve lie at the distinct scores; equal scores share one point, and between two points the curve is
the straight line, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import PatientDraws, Weights
from chestxpert.evaluation.metrics import BoolArray, FloatArray, known_columns, pair, ratio
from chestxpert.evaluation.ranked_label import RankedLabel, WeightedSums
from chestxpert.evaluation.weighted_ranking import each_part, rank_labels

MAX_FPR = 0.1
"""The false-positive rate up to which the partial area is taken: nine in ten healthy images left alone, or more."""

_ROUNDING = 1e-9  # so that 10 % of 30 negatives are 3 of them


class LeftEnd:
    """Sensitivities and the partial area of d draws, added up from the highest score down.

    The curve only rises at the scores that positives have, and is level between them.

    Parameters
    ----------
    positives, negatives : (d,) float64 arrays
    specificities : sequence of S floats
    max_fpr : float
    """

    def __init__(
        self, positives: FloatArray, negatives: FloatArray, specificities: Sequence[float], max_fpr: float
    ) -> None:
        self._positives, self._negatives, self._max_fpr = positives, negatives, max_fpr
        self._limit = negatives * max_fpr
        self._allowed = [np.floor(negatives * (1 - specificity) + _ROUNDING) for specificity in specificities]
        self._reached = np.zeros((len(self._allowed), len(positives)))
        self._area, self._left, self._below = (
            np.zeros(len(positives)),
            np.zeros(len(positives)),
            np.zeros(len(positives)),
        )

    def add(self, sums: WeightedSums) -> bool:
        """Go down one more block of scores; False once what lies further down makes no difference."""
        high, reached = sums.hits.astype(np.float64), sums.reached.astype(np.float64)
        below = high - sums.gain
        end, start = reached - high, reached - sums.group - below
        for best, allowed in zip(self._reached, self._allowed, strict=True):
            np.maximum(best, np.where(end <= allowed, high, 0.0).max(axis=0), out=best)
        lowest, wide = end[-1], end - start
        start, end = np.minimum(start, self._limit), np.minimum(end, self._limit)
        # Level up to a score, then straight up to where its ties end, which the limit may cut short.
        share = np.divide(end - start, wide, out=np.zeros_like(wide), where=wide > 0)
        self._area += ((end - start) * (below + share * (high - below) / 2)).sum(axis=0)
        left = np.vstack([self._left, end[:-1]])
        self._area += ((start - left) * below).sum(axis=0)
        self._left, self._below = end[-1], high[-1]
        return bool((lowest <= np.max([self._limit, *self._allowed], axis=0)).any())

    def sensitivities(self) -> FloatArray:
        """(S, d) largest sensitivity among the points of each specificity or a higher one; NaN without both classes."""
        return np.asarray(np.where(self._negatives > 0, ratio(self._reached, self._positives), np.nan))

    def partial_area(self) -> FloatArray:
        """(d,) area up to the limit, standardised (McClish); NaN without both classes."""
        area: FloatArray = self._area + (self._limit - self._left) * self._below
        part, least = ratio(area, self._positives * self._negatives), self._max_fpr**2 / 2
        return np.asarray((1 + (part - least) / (self._max_fpr - least)) / 2)


def _left_end(
    ranked: RankedLabel, weights: Weights, specificities: Sequence[float], max_fpr: float
) -> tuple[FloatArray, FloatArray]:
    """Sensitivities (S, d) and partial area (d,) of one label, each image weighing what its patient does in (P, d)."""
    positives = ranked.positives(weights)
    found = LeftEnd(positives, ranked.weight(weights) - positives, specificities, max_fpr)
    for sums in ranked.blocks(weights):
        if not found.add(sums):
            break
    return found.sensitivities(), found.partial_area()


def sensitivity_at_specificity(
    truth: npt.ArrayLike, probs: npt.ArrayLike, specificity: float, known: npt.ArrayLike | None = None
) -> FloatArray:
    """Largest sensitivity at which the specificity is still at least `specificity`, read off the ROC curve.

    The threshold that gives it is chosen on these very images, so this describes the curve; what a threshold fixed
    beforehand gives is the sensitivity at a rule's threshold (`chestxpert.evaluation.threshold_rules`).

    Parameters
    ----------
    truth : (N, K) bool array
    probs : (N, K) array of real numbers
    specificity : float
        In [0, 1].
    known : (N, K) bool array, optional

    Returns
    -------
    (K,) float64 array in [0, 1]; NaN without positives or without negatives.
    """
    return np.asarray(roc_ends(truth, probs, (specificity,), known=known)[0][0])


def partial_auroc(
    truth: npt.ArrayLike, probs: npt.ArrayLike, max_fpr: float = MAX_FPR, known: npt.ArrayLike | None = None
) -> FloatArray:
    """Standardised partial area under the ROC curve over false-positive rates from 0 to `max_fpr`.

    With A the area there, (1 + (A - m) / (M - m)) / 2, where m = max_fpr^2 / 2 is the area of a score that says nothing
    and M = max_fpr that of a perfect one (McClish, Analyzing a portion of the ROC curve, Medical Decision Making 9,
    1989): .5 says nothing and 1 is perfect, whatever the range. This is scikit-learn's ``roc_auc_score(max_fpr=...)``.

    Parameters
    ----------
    truth : (N, K) bool array
    probs : (N, K) array of real numbers
    max_fpr : float
        In (0, 1]; with 1 it is the whole area.
    known : (N, K) bool array, optional

    Returns
    -------
    (K,) float64 array; NaN without positives or without negatives.
    """
    return roc_ends(truth, probs, (), max_fpr, known)[1]


def roc_ends(
    truth: npt.ArrayLike,
    probs: npt.ArrayLike,
    specificities: Sequence[float],
    max_fpr: float = MAX_FPR,
    known: npt.ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """`sensitivity_at_specificity` at each of S specificities and `partial_auroc`: (S, K) and (K,) arrays."""
    held, scores = pair(truth, probs, "probabilities")
    mask = known_columns(known, held.shape)
    told = np.ones_like(held) if mask is None else mask
    return ranked_roc_ends(
        [
            RankedLabel.of(held[use, label], scores[use, label], np.zeros(int(use.sum()), dtype=np.int64))
            for label, use in enumerate(told.T)
        ],
        specificities,
        max_fpr,
    )


def ranked_roc_ends(
    ranked: Sequence[RankedLabel], specificities: Sequence[float], max_fpr: float = MAX_FPR
) -> tuple[FloatArray, FloatArray]:
    """As `roc_ends`, for labels whose images are sorted already, whichever patients they are of."""
    sensitivities, areas = np.empty((len(specificities), len(ranked))), np.empty(len(ranked))
    for label, images in enumerate(ranked):
        one = np.ones((max(1, len(images.images)), 1))
        some, area = _left_end(images, one, specificities, max_fpr)
        sensitivities[:, label], areas[label] = some[:, 0], area[0]
    return sensitivities, areas


def drawn_roc(
    truth: BoolArray,
    probs: FloatArray,
    draws: PatientDraws,
    specificities: tuple[float, ...],
    max_fpr: float = MAX_FPR,
    known: BoolArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Sensitivities at specificities, and partial areas, of every label in every draw.

    Returns
    -------
    sensitivities : (S, D, K) float64 array
    areas : (D, K) float64 array
    """
    sensitivities = np.empty((len(specificities), len(draws), truth.shape[1]))
    areas = np.empty((len(draws), truth.shape[1]))
    ranked = rank_labels(truth, probs, draws, known)

    def measure(part: slice, weights: Weights, label: int) -> None:
        found = _left_end(ranked[label], weights, specificities, max_fpr)
        sensitivities[:, part, label], areas[part, label] = found

    each_part(ranked, draws, measure)
    return sensitivities, areas
