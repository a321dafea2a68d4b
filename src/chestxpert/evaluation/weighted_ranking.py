"""AUROC and average precision in every bootstrap draw at once.

Sorting depends on the scores alone, so it is done once a label; a draw only changes the weights, and all that both
metrics need are running sums of weights at the scores that positives have. Equal scores form one group, as in
scikit-learn, to which results are equal up to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import IntArray, PatientDraws
from chestxpert.evaluation.metrics import BoolArray, FloatArray, ratio


@dataclass(frozen=True, eq=False)
class RankedLabel:
    """One label's images sorted by falling score, reduced to what the weighted metrics need.

    Parameters
    ----------
    patients : (n_last,) int64 array
        Patient of each image, in sorted order, down to the last group that holds a positive.
    images : (p,) int64 array
        How many images each patient has, those further down too.
    positive_patients : (n,) int64 array
        Patient of each positive image, in sorted order.
    starts, ends : (G,) int64 arrays
        First and last position of each group of equal scores that holds a positive.
    positive_starts : (G,) int64 array
        Position of the first positive of each group among the positives.
    """

    patients: IntArray
    images: IntArray
    positive_patients: IntArray
    starts: IntArray
    ends: IntArray
    positive_starts: IntArray

    @classmethod
    def of(cls, truth: BoolArray, scores: FloatArray, patient_of_image: IntArray) -> RankedLabel:
        """Sort the (N,) arrays of one label."""
        order = np.argsort(-scores, kind="stable")
        held, patients = truth[order], patient_of_image[order]
        ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, len(order) > 0))
        starts = np.append(0, ends[:-1] + 1)[: len(ends)]
        positives = np.diff(np.cumsum(held)[ends], prepend=0)
        used = positives > 0
        positive_starts = np.cumsum(positives[used]) - positives[used]
        last = int(ends[used][-1]) + 1 if used.any() else 0
        images = np.bincount(patients)
        return cls(patients[:last], images, patients[held], starts[used], ends[used], positive_starts)

    def measure(self, counts: npt.NDArray[np.int32]) -> tuple[FloatArray, FloatArray]:
        """AUROC and average precision for (d, P) patient counts: two (d,) arrays, NaN where undefined."""
        return self.sums(counts).metrics()

    def measure_split(self, counts: npt.NDArray[np.int32]) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        """As `measure`, for counts of 0 and 1 and for what they leave out: all sums of the rest are differences."""
        chosen = self.sums(counts)
        return chosen.metrics(), self._sums_of_all.less(chosen).metrics()

    def hits_among_first(self, counts: npt.NDArray[np.int32], called: FloatArray) -> FloatArray:
        """Positives among the images with the highest scores, for (d, P) patient counts.

        Parameters
        ----------
        counts : (d, P) int32 array
        called : (d, C) array
            How many images are taken. Where a group of equal scores is taken in part, so are its positives.

        Returns
        -------
        (d, C) float64 array
        """
        result = np.zeros(called.shape)
        if not len(self.ends):
            return result
        sums = self.sums(counts)
        # Hits over images taken: a line that rises within each group that holds a positive, and nowhere else.
        taken = np.stack([sums.above, sums.reached], axis=2).reshape(len(counts), -1)
        found = np.stack([sums.hits - sums.gain, sums.hits], axis=2).reshape(len(counts), -1)
        for row in range(len(counts)):
            result[row] = np.interp(called[row], taken[row], found[row])
        return result

    @cached_property
    def _sums_of_all(self) -> WeightedSums:
        """The sums where every patient weighs 1."""
        return self.sums(np.ones((1, len(self.images)), dtype=np.int32))

    def sums(self, counts: npt.NDArray[np.int32]) -> WeightedSums:
        """Running sums of the weights of (d, P) patient counts, where the positives are."""
        if not len(self.ends):
            nothing = np.zeros((len(counts), 0), dtype=np.int32)
            return WeightedSums(nothing, nothing, nothing, nothing, np.zeros(len(counts)))
        # Weight of all images from the highest score down to each image, and of the positives of each group. Below the
        # last positive nothing but the number of images counts.
        running = np.cumsum(np.take(counts, self.patients, axis=1), axis=1, dtype=np.int32)
        gain = np.take(counts, self.positive_patients, axis=1)
        if len(self.ends) < gain.shape[1]:
            gain = np.add.reduceat(gain, self.positive_starts, axis=1)
        hits = np.cumsum(gain, axis=1, dtype=np.int32)
        above, reached = np.take(running, self.starts - 1, axis=1), np.take(running, self.ends, axis=1)
        if self.starts[0] == 0:
            above[:, 0] = 0
        return WeightedSums(
            gain, hits, above, reached, (counts[:, : len(self.images)] @ self.images).astype(np.float64)
        )


@dataclass(frozen=True, eq=False)
class WeightedSums:
    """Weights at the G groups of equal scores that hold a positive, highest score first, in each of d draws.

    Parameters
    ----------
    gain, hits : (d, G) int32 arrays
        Weight of the positives of each group, and of those down to its end.
    above, reached : (d, G) int32 arrays
        Weight of all images before each group, and down to its end.
    images : (d,) float64 array
        Weight of all images.
    """

    gain: npt.NDArray[np.int32]
    hits: npt.NDArray[np.int32]
    above: npt.NDArray[np.int32]
    reached: npt.NDArray[np.int32]
    images: FloatArray

    def less(self, other: WeightedSums) -> WeightedSums:
        """The sums of what `other` leaves of these."""
        return WeightedSums(*(getattr(self, name) - getattr(other, name) for name in self.__dataclass_fields__))

    def metrics(self) -> tuple[FloatArray, FloatArray]:
        """AUROC and average precision: two (d,) arrays, NaN where undefined."""
        if not self.hits.shape[1]:
            return np.full(len(self.hits), np.nan), np.full(len(self.hits), np.nan)
        positives = self.hits[:, -1].astype(np.float64)
        negatives = self.images - positives
        # Half a group's ties count, so gain * (above + reached) / 2 is what outranks the positives. It holds each
        # pair of positives too, P * P / 2 in all, whatever their order.
        outranked = _dot(self.gain, self.above) + _dot(self.gain, self.reached) - positives**2
        precision = self.hits / np.maximum(self.reached, 1)
        return 1 - ratio(outranked, 2 * positives * negatives), ratio(_dot(self.gain, precision), positives)


def _dot(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> FloatArray:
    """Row by row inner product in float64, without a temporary of the operands' size."""
    return np.asarray(np.einsum("dg,dg->d", left, right, dtype=np.float64))


def drawn_ranking(
    truth: BoolArray,
    probs: FloatArray,
    draws: PatientDraws,
    workers: int | None = None,
    known: BoolArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """AUROC and average precision of every label in every draw.

    Parameters
    ----------
    truth : (N, K) bool array
    probs : (N, K) float64 array
    draws : PatientDraws
        Over the same N images.
    workers : int, optional
        Threads; by default one a processor. The result does not depend on it.
    known : (N, K) bool array, optional
        Where the truth is known; everywhere by default. Each label is ranked among its own known images.

    Returns
    -------
    auroc, average_precision : (D, K) float64 arrays
        NaN where a draw has no positive (for AUROC: or no negative).
    """
    auroc, precision = np.empty((2, len(draws), truth.shape[1]))

    def measure(ranked: RankedLabel, part: slice, label: int) -> None:
        auroc[part, label], precision[part, label] = ranked.measure(draws.counts[part])

    _each_label(truth, probs, draws, known, measure, workers)
    return auroc, precision


def split_ranking(
    truth: BoolArray,
    probs: FloatArray,
    draws: PatientDraws,
    workers: int | None = None,
    known: BoolArray | None = None,
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """As `drawn_ranking`, for draws that take each patient once or not at all, and for the patients they leave out.

    Returns
    -------
    two pairs (auroc, average_precision) of (D, K) float64 arrays
        Of the patients drawn, and of the others.
    """
    results = np.empty((2, 2, len(draws), truth.shape[1]))

    def measure(ranked: RankedLabel, part: slice, label: int) -> None:
        for side, values in enumerate(ranked.measure_split(draws.counts[part])):
            results[side, 0, part, label], results[side, 1, part, label] = values

    _each_label(truth, probs, draws, known, measure, workers)
    (auroc, precision), (other_auroc, other_precision) = results
    return (auroc, precision), (other_auroc, other_precision)


def drawn_hits(
    truth: BoolArray, probs: FloatArray, called: FloatArray, draws: PatientDraws, known: BoolArray | None = None
) -> FloatArray:
    """True cases among the images that each label ranks highest, as many images as `called` says, in every draw.

    Parameters
    ----------
    truth : (N, K) bool array
    probs : (N, K) float64 array
    called : (D, K, C) array
        How many images to take, counted as often as they were drawn; C choices of it.
    draws : PatientDraws
        Over the same N images.
    known : (N, K) bool array, optional
        Where the truth is known; each label is ranked among its own known images.

    Returns
    -------
    (D, K, C) float64 array
        Of a group of equal scores that is taken in part, the same part of its cases: the mean over all ways to choose.
    """
    hits = np.empty(called.shape)

    def measure(ranked: RankedLabel, part: slice, label: int) -> None:
        hits[part, label] = ranked.hits_among_first(draws.counts[part], called[part, label])

    _each_label(truth, probs, draws, known, measure)
    return hits


def _each_label(
    truth: BoolArray,
    probs: FloatArray,
    draws: PatientDraws,
    known: BoolArray | None,
    measure: Callable[[RankedLabel, slice, int], None],
    workers: int | None = None,
) -> None:
    """Call `measure` with every label, ranked among its known images, and every part of the draws."""

    def work(label: int) -> None:
        held, scores, patients = truth[:, label], probs[:, label], draws.patient_of_image
        if known is not None:
            rows = known[:, label]
            held, scores, patients = held[rows], scores[rows], patients[rows]
        ranked = RankedLabel.of(held, scores, patients)
        for part in draws.chunks(len(held)):
            measure(ranked, part, label)

    # numpy lets go of the interpreter lock in take, cumsum and arithmetic, so threads do run side by side.
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        list(pool.map(work, range(truth.shape[1])))
