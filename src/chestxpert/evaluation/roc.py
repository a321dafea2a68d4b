"""Parts of the ROC curve: its left end, and single points of it; on the images as they are or in bootstrap draws.

The points of the curve lie at the distinct scores; equal scores share one point, and between two points the curve is
the straight line, as in scikit-learn. Image i counts ``weights[d, i]`` times in draw d.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import BoolArray, FloatArray, known_columns, pair, ratio

MAX_FPR = 0.1
"""The false-positive rate up to which the partial area is taken: nine in ten healthy images left alone, or more."""

_ROUNDING = 1e-9  # so that 10 % of 30 negatives are 3 of them


@dataclass(frozen=True, eq=False)
class Curve:
    """ROC points of D draws, from the highest score down.

    Parameters
    ----------
    false, true : (D, G) float64 arrays
        Negatives and positives with at least each of the G distinct scores.
    """

    false: FloatArray
    true: FloatArray

    @classmethod
    def of(cls, truth: BoolArray, scores: FloatArray, weights: npt.NDArray[np.number]) -> Curve:
        """Curve of one label's n known images, weighted by a (D, n) array."""
        order = np.argsort(-scores, kind="stable")
        ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, len(order) > 0))
        sorted_weights, held = weights[:, order], truth[order]
        everything = np.cumsum(sorted_weights, axis=1, dtype=np.float64)[:, ends]
        true = np.cumsum(sorted_weights * held, axis=1, dtype=np.float64)[:, ends]
        return cls(everything - true, true)

    def sensitivity_at(self, specificity: float) -> FloatArray:
        """(D,) largest sensitivity among the points whose specificity is at least this; NaN without both classes."""
        if not self.true.shape[1]:
            return np.full(len(self.true), np.nan)
        positives, negatives = self.true[:, -1], self.false[:, -1]
        allowed = np.floor(negatives * (1 - specificity) + _ROUNDING)
        points = (self.false <= allowed[:, None]).sum(axis=1)
        reached = np.where(points > 0, self.true[np.arange(len(points)), np.maximum(points - 1, 0)], 0.0)
        return np.where(negatives > 0, ratio(reached, positives), np.nan)

    def partial_area(self, max_fpr: float) -> FloatArray:
        """(D,) area up to `max_fpr`, standardised (McClish); NaN without both classes."""
        if not self.true.shape[1]:
            return np.full(len(self.true), np.nan)
        start = np.zeros((len(self.true), 1))
        x = np.hstack([start, ratio(self.false, self.false[:, -1:])])
        y = np.hstack([start, ratio(self.true, self.true[:, -1:])])
        left, right = np.minimum(x[:, :-1], max_fpr), np.minimum(x[:, 1:], max_fpr)
        share = np.divide(right - left, np.diff(x), out=np.ones_like(left), where=np.diff(x) != 0)
        heights = y[:, :-1] + share * np.diff(y) / 2
        area = ((right - left) * heights).sum(axis=1)
        least = max_fpr**2 / 2
        return np.asarray((1 + (area - least) / (max_fpr - least)) / 2)


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
    return [Curve.of(held[use, k], scores[use, k], np.ones((1, use.sum()))) for k, use in enumerate(rows)]


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
        held, scores, patients = truth[rows, label], probs[rows, label], draws.patient_of_image[rows]
        for part in draws.chunks(len(held)):
            curve = Curve.of(held, scores, draws.counts[part][:, patients])
            areas[part, label] = curve.partial_area(max_fpr)
            for row, specificity in enumerate(specificities):
                sensitivities[row, part, label] = curve.sensitivity_at(specificity)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(work, range(truth.shape[1])))
    return sensitivities, areas
