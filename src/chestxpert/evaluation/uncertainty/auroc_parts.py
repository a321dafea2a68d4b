"""Standard errors of AUROC without resampling: DeLong's, and Obuchowski's where images come in patients.

AUROC is a mean of comparisons between positives and negatives, so each image adds to it by its placement alone: the
share of the other side that it stands right of. DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988) take the
variance of AUROC from the variances of the placements; Sun and Xu (IEEE Signal Processing Letters 21, 2014, equations
5 and 6) get them from ranks instead of all pairs. Obuchowski (Biometrics 53, 1997, section 3) adds the placements up
within clusters first. With clusters of one image hers is DeLong's, so there is one code for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import IntArray
from chestxpert.evaluation.metrics import BoolArray, FloatArray, ratio


def midranks(values: npt.ArrayLike) -> FloatArray:
    """Ranks from 1, equal values sharing the mean of theirs: (N,) to (N,)."""
    scores = np.asarray(values)
    order = np.argsort(scores)
    starts = _group_starts(scores[order])
    sizes = np.diff(np.append(starts, len(order)))
    ranks = np.empty(len(order))
    ranks[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    return ranks


def _group_starts(ranked: npt.NDArray[Any]) -> IntArray:
    """Where each group of equal values begins among sorted ones."""
    return np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)])


def placements(truth: BoolArray, scores: FloatArray) -> FloatArray:
    """Of each positive the share of negatives below it, of each negative the share of positives above; ties half.

    The mean over positives and the mean over negatives are both the AUROC. Both sides must be there.
    """
    order = np.argsort(scores)
    starts, held = _group_starts(scores[order]), truth[order]
    sizes, positives = np.diff(np.append(starts, len(order))), np.add.reduceat(held, starts, dtype=np.int64)
    positives_below = np.cumsum(positives) - positives
    negatives_below = starts - positives_below
    total = int(positives.sum())
    of_positive = (negatives_below + (sizes - positives) / 2) / (len(scores) - total)
    of_negative = 1 - (positives_below + positives / 2) / total
    result = np.empty(len(scores))
    result[order] = np.where(held, np.repeat(of_positive, sizes), np.repeat(of_negative, sizes))
    return result


@dataclass(frozen=True, eq=False)
class AurocParts:
    """What each of P patients adds to C AUROCs (labels, or combinations of them), positives and negatives apart.

    Parameters
    ----------
    values : (C,) float64 array
        The AUROCs; NaN where there are no positives or no negatives.
    positive, negative : (P, C) float64 arrays
        Sum over a patient's positive (negative) images of placement minus AUROC, divided by the number of positive
        (negative) images of all patients; 0 for a patient without any.
    positive_scaled, negative_scaled : (P, C) float64 arrays
        The same times the root of I / (I - 1), where I counts the patients with such images of that label.
    """

    values: FloatArray
    positive: FloatArray
    negative: FloatArray
    positive_scaled: FloatArray
    negative_scaled: FloatArray

    @classmethod
    def of(
        cls, truth: BoolArray, scores: FloatArray, patient_of_image: IntArray, known: BoolArray | None = None
    ) -> AurocParts:
        """Measure every label.

        Parameters
        ----------
        truth : (N, K) bool array
        scores : (N, K) float64 array
        patient_of_image : (N,) int64 array
            Position of each image's patient among the P patients; `np.arange(N)` for DeLong's unclustered form.
        known : (N, K) bool array, optional
            Where the truth is known; each label is measured on its known images alone.
        """
        n_patients, n_labels = int(patient_of_image.max()) + 1, truth.shape[1]
        values = np.full(n_labels, np.nan)
        sides = np.full((4, n_patients, n_labels), np.nan)
        for label in range(n_labels):
            rows = slice(None) if known is None else known[:, label]
            held, owner = truth[rows, label], patient_of_image[rows]
            if not held.any() or held.all():
                continue
            placed = placements(held, scores[rows, label])
            values[label] = placed[held].mean()
            for side, images in enumerate((held, ~held)):
                own, away = owner[images], (placed[images] - values[label]) / images.sum()
                sides[side, :, label] = np.bincount(own, weights=away, minlength=n_patients)
                patients = len(np.unique(own))
                factor = patients / (patients - 1) if patients > 1 else np.nan
                sides[side + 2, :, label] = sides[side, :, label] * factor**0.5
        return cls(values, *sides)

    @classmethod
    def average(cls, parts: Sequence[AurocParts]) -> AurocParts:
        """The mean of several, such as the seeds of one recipe on the same patients."""
        return cls(*(np.mean([getattr(one, name) for one in parts], axis=0) for name in cls.__dataclass_fields__))

    def minus(self, other: AurocParts) -> AurocParts:
        """Paired differences on the same patients and labels."""
        return AurocParts(*(getattr(self, name) - getattr(other, name) for name in self.__dataclass_fields__))

    def column(self, label: int) -> AurocParts:
        """One label alone."""
        return AurocParts(*(getattr(self, name)[..., [label]] for name in self.__dataclass_fields__))

    def macro(self) -> AurocParts:
        """The mean over the labels whose AUROC is defined, as one column; NaN where none is."""
        defined = ~np.isnan(self.values)
        if not defined.any():
            return self.column(0)
        values, *sides = (getattr(self, name)[..., defined] for name in self.__dataclass_fields__)
        # A label whose positives are all one patient's has no error of its own, NaN; to a mean it adds what it has, 0.
        means = [values, *map(np.nan_to_num, sides)]
        return AurocParts(*(part.mean(axis=-1, keepdims=True) for part in means))

    def errors(self) -> FloatArray:
        """(C,) standard errors over patients: Obuchowski's (1997), DeLong's where each patient has one image.

        NaN where AUROC is, and where a single patient has all positives or all negatives. For means over labels and
        for differences the parts are combined before they are squared, so covariances between labels and recipes
        are in it.
        """
        patients = len(self.positive)
        within = (self.positive_scaled**2 + self.negative_scaled**2).sum(axis=0)
        across = 2 * (self.positive * self.negative).sum(axis=0) * ratio(patients, patients - 1)
        return np.asarray(np.sqrt(np.maximum(within + across, 0.0)))
