"""Sensitivity, specificity and Matthews correlation from counts; and the ranking loss of each image.

Counts may be those of the images as they are or sums in bootstrap draws: everything here works elementwise on them.
Arrays are (N, K) as in `chestxpert.evaluation.metrics`; ``known`` says where the truth is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import BoolArray, FloatArray, known_columns, pair, ratio


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts among known images, each (..., K): one value a label, or one a draw and label.

    Parameters
    ----------
    hits : array
        Positives decided to be positive.
    decided : array
        Decided to be positive.
    positives, known : array
        Positive images, and images whose label is known.
    """

    hits: FloatArray
    decided: FloatArray
    positives: FloatArray
    known: FloatArray

    @classmethod
    def of(
        cls,
        truth: npt.ArrayLike,
        decisions: npt.ArrayLike,
        known: npt.ArrayLike | None = None,
        draws: PatientDraws | None = None,
    ) -> Counts:
        """Counts of (N, K) decisions: (K,) arrays, or (D, K) ones with bootstrap draws over the same images."""
        held, values = pair(truth, decisions, "decisions")
        decided = values.astype(np.bool_)
        mask = known_columns(known, held.shape)
        told = np.ones_like(held) if mask is None else mask
        parts = (held & decided & told, decided & told, held & told, told)
        if draws is None:
            return cls(*(part.sum(axis=0).astype(np.float64) for part in parts))
        return cls(*(draws.totals(part) for part in parts))

    @property
    def negatives(self) -> FloatArray:
        """Images known not to carry the label."""
        return self.known - self.positives

    def sensitivity(self) -> FloatArray:
        """Share of the positives that were found; NaN without positives."""
        return ratio(self.hits, self.positives)

    def specificity(self) -> FloatArray:
        """Share of the negatives that were left alone; NaN without negatives."""
        return ratio(self.negatives - (self.decided - self.hits), self.negatives)

    def mcc(self) -> FloatArray:
        """Matthews correlation of truth and decision, in [-1, 1] (Matthews, Biochim Biophys Acta 405, 1975).

        NaN without positives or without negatives. Where every image is decided alike the quotient is 0 / 0 and 0 is
        given, its limit and scikit-learn's answer: such decisions tell nothing.
        """
        false_alarms, missed = self.decided - self.hits, self.positives - self.hits
        left_alone = self.negatives - false_alarms
        top = self.hits * left_alone - false_alarms * missed
        bottom = np.sqrt(self.decided * self.positives * self.negatives * (self.known - self.decided))
        value = np.where(bottom > 0, ratio(top, bottom), 0.0)
        return np.where((self.positives > 0) & (self.negatives > 0), value, np.nan)


def specificity(truth: npt.ArrayLike, decisions: npt.ArrayLike, known: npt.ArrayLike | None = None) -> FloatArray:
    """(K,) share of the negatives that were not decided to be positive; NaN without negatives."""
    return Counts.of(truth, decisions, known).specificity()


def mcc(truth: npt.ArrayLike, decisions: npt.ArrayLike, known: npt.ArrayLike | None = None) -> FloatArray:
    """(K,) Matthews correlation; see `Counts.mcc`."""
    return Counts.of(truth, decisions, known).mcc()


def image_ranking_losses(truth: BoolArray, probs: FloatArray, known: npt.ArrayLike | None = None) -> FloatArray:
    """Ranking loss of each image: the share of its pairs (present, absent) that are ordered wrongly.

    Schapire and Singer, BoosTexter, Machine Learning 39, 2000, section 4. A tie counts as wrong, as in scikit-learn's
    ``label_ranking_loss``.

    Returns
    -------
    (N,) float64 array in [0, 1]; NaN where no known label is present or none is absent, so that there is no pair.
    """
    held, values = pair(truth, probs, "probabilities")
    mask = known_columns(known, held.shape)
    present, absent = (held, ~held) if mask is None else (held & mask, ~held & mask)
    wrong = np.zeros(len(held))
    for column in range(held.shape[1]):
        above = (values >= values[:, column : column + 1]) & absent
        wrong += np.where(present[:, column], above.sum(axis=1), 0)
    return ratio(wrong, present.sum(axis=1) * absent.sum(axis=1))


def ranking_loss(truth: npt.ArrayLike, probs: npt.ArrayLike, known: npt.ArrayLike | None = None) -> float:
    """Mean ranking loss of the images that have a pair to rank; NaN without any. Smaller is better."""
    held, values = pair(truth, probs, "probabilities")
    losses = image_ranking_losses(held, values, known)
    return float(ratio(np.nansum(losses), (~np.isnan(losses)).sum()))
