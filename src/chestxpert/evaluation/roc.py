"""Parts of the ROC curve: its left end, and single points of it; on the images as they are or in bootstrap draws.

The points of the curve lie at the distinct scores; equal scores share one point, and between two points the curve is
the straight line, as in scikit-learn.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import BoolArray, FloatArray, known_columns, pair, ratio
from chestxpert.evaluation.weighted_ranking import RankedLabel

MAX_FPR = 0.1
"""The false-positive rate up to which the partial area is taken: nine in ten healthy images left alone, or more."""

_ROUNDING = 1e-9  # so that 10 % of 30 negatives are 3 of them


@dataclass(frozen=True, eq=False)
class Curve:
    """The ROC curve of D draws: it only rises at the G scores that positives have, and is level between them.

    Parameters
    ----------
    start, end : (D, G) float64 arrays
        Negatives above each of these scores, and down to it: the same but for negatives that share the score.
    below, high : (D, G) float64 arrays
        Positives above it, and down to it.
    positives, negatives : (D,) float64 arrays
    """

    start: FloatArray
    end: FloatArray
    below: FloatArray
    high: FloatArray
    positives: FloatArray
    negatives: FloatArray

    @classmethod
    def of(cls, ranked: RankedLabel, counts: npt.NDArray[np.int32]) -> Curve:
        """Curve of one label, each image weighing what its patient counts in (D, P)."""
        if not len(ranked.ends):
            none = np.empty((len(counts), 0))
            return cls(none, none, none, none, np.zeros(len(counts)), np.zeros(len(counts)))
        sums = ranked.sums(counts)
        high = sums.hits.astype(np.float64)
        below = high - sums.gain
        return cls(sums.above - below, sums.reached - high, below, high, high[:, -1], sums.images - high[:, -1])

    def sensitivity_at(self, specificity: float) -> FloatArray:
        """(D,) largest sensitivity among the points whose specificity is at least this; NaN without both classes."""
        allowed = np.floor(self.negatives * (1 - specificity) + _ROUNDING)
        reached = np.where(self.end <= allowed[:, None], self.high, 0.0).max(axis=1, initial=0.0)
        return np.where(self.negatives > 0, ratio(reached, self.positives), np.nan)

    def partial_area(self, max_fpr: float) -> FloatArray:
        """(D,) area up to `max_fpr`, standardised (McClish); NaN without both classes."""
        limit = self.negatives[:, None] * max_fpr
        start, end = np.minimum(self.start, limit), np.minimum(self.end, limit)
        # Level up to a score, then straight up to where its ties end, which the limit may cut short.
        wide = self.end - self.start
        share = np.divide(end - start, wide, out=np.zeros_like(wide), where=wide > 0)
        area = ((end - start) * (self.below + share * (self.high - self.below) / 2)).sum(axis=1)
        left = np.hstack([np.zeros_like(limit), end])
        level = np.hstack([start, limit]) - left
        area += (level * np.hstack([self.below, self.positives[:, None]])).sum(axis=1)
        part, least = ratio(area, self.positives * self.negatives), max_fpr**2 / 2
        return np.asarray((1 + (part - least) / (max_fpr - least)) / 2)


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
    return np.array([curve.sensitivity_at(specificity)[0] for curve in _curves(truth, probs, known)])


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
    return np.array([curve.partial_area(max_fpr)[0] for curve in _curves(truth, probs, known)])


def _curves(truth: npt.ArrayLike, probs: npt.ArrayLike, known: npt.ArrayLike | None) -> list[Curve]:
    held, scores = pair(truth, probs, "probabilities")
    mask = known_columns(known, held.shape)
    told = np.ones_like(held) if mask is None else mask
    rows = [told[:, k] for k in range(held.shape[1])]
    ranked = [RankedLabel.of(held[use, k], scores[use, k], np.arange(use.sum())) for k, use in enumerate(rows)]
    return [Curve.of(label, np.ones((1, use.sum()), dtype=np.int32)) for label, use in zip(ranked, rows, strict=True)]


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
    told = np.ones_like(truth) if known is None else known
    sensitivities = np.empty((len(specificities), len(draws), truth.shape[1]))
    areas = np.empty((len(draws), truth.shape[1]))

    def work(label: int) -> None:
        rows = told[:, label]
        ranked = RankedLabel.of(truth[rows, label], probs[rows, label], draws.patient_of_image[rows])
        for part in draws.chunks(len(ranked.patients)):
            curve = Curve.of(ranked, draws.counts[part])
            areas[part, label] = curve.partial_area(max_fpr)
            for row, specificity in enumerate(specificities):
                sensitivities[row, part, label] = curve.sensitivity_at(specificity)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(work, range(truth.shape[1])))
    return sensitivities, areas
