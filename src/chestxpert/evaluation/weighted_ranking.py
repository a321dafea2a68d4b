"""AUROC and average precision in every bootstrap draw at once.

Sorting depends on the scores alone, so it is done once a label; a draw only changes the weights, and all that both
metrics need are running sums of weights at the scores that positives have. Equal scores form one group, as in
scikit-learn, to which results are equal up to rounding.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import IntArray, PatientDraws
from chestxpert.evaluation.metrics import BoolArray, FloatArray, ratio


@dataclass(frozen=True, eq=False)
class WeightedSums:
    """Weights at the G groups of equal scores that hold a positive, highest score first, in d draws.

    Parameters
    ----------
    gain, hits : (d, G) int32 arrays
        Of the positives of each group, and of all positives down to it.
    above, reached : (d, G) int32 arrays
        Of all images before each group, and down to its end.
    images : (d,) float64 array
        Of all images.
    """

    gain: npt.NDArray[np.int32]
    hits: npt.NDArray[np.int32]
    above: npt.NDArray[np.int32]
    reached: npt.NDArray[np.int32]
    images: FloatArray


@dataclass(frozen=True, eq=False)
class RankedLabel:
    """One label's images sorted by falling score, reduced to what the weighted metrics need.

    Parameters
    ----------
    patients : (N,) int64 array
        Patient of each image, in sorted order.
    positive_patients : (n,) int64 array
        The same for the positive images.
    starts, ends : (G,) int64 arrays
        First and last position of each group of equal scores that holds a positive.
    positive_starts : (G,) int64 array
        Position of the first positive of each group among the positives.
    """

    patients: IntArray
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
        return cls(patients, patients[held], starts[used], ends[used], positive_starts)

    def sums(self, counts: npt.NDArray[np.int32]) -> WeightedSums:
        """Running sums of the weights of (d, P) patient counts, where the positives are; there must be a positive."""
        # Weight of all images from the highest score down to each image, and of the positives of each group.
        running = np.cumsum(np.take(counts, self.patients, axis=1), axis=1, dtype=np.int32)
        gain = np.take(counts, self.positive_patients, axis=1)
        if len(self.ends) < gain.shape[1]:
            gain = np.add.reduceat(gain, self.positive_starts, axis=1)
        hits = np.cumsum(gain, axis=1, dtype=np.int32)
        above, reached = np.take(running, self.starts - 1, axis=1), np.take(running, self.ends, axis=1)
        if self.starts[0] == 0:
            above[:, 0] = 0
        return WeightedSums(gain, hits, above, reached, running[:, -1].astype(np.float64))

    def measure(self, counts: npt.NDArray[np.int32]) -> tuple[FloatArray, FloatArray]:
        """AUROC and average precision for (d, P) patient counts: two (d,) arrays, NaN where undefined."""
        if not len(self.ends):
            return np.full(len(counts), np.nan), np.full(len(counts), np.nan)
        sums = self.sums(counts)
        positives = sums.hits[:, -1].astype(np.float64)
        negatives = sums.images - positives
        # Half a group's ties count, so gain * (above + reached) / 2 is what outranks the positives. It holds each
        # pair of positives too, P * P / 2 in all, whatever their order.
        outranked = _dot(sums.gain, sums.above) + _dot(sums.gain, sums.reached) - positives**2
        precision = sums.hits / np.maximum(sums.reached, 1)
        return 1 - ratio(outranked, 2 * positives * negatives), ratio(_dot(sums.gain, precision), positives)


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

    def work(label: int) -> None:
        held, scores, patients = truth[:, label], probs[:, label], draws.patient_of_image
        if known is not None:
            rows = known[:, label]
            held, scores, patients = held[rows], scores[rows], patients[rows]
        ranked = RankedLabel.of(held, scores, patients)
        for part in draws.chunks(len(held)):
            auroc[part, label], precision[part, label] = ranked.measure(draws.counts[part])

    # numpy lets go of the interpreter lock in take, cumsum and arithmetic, so threads do run side by side.
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        list(pool.map(work, range(truth.shape[1])))
    return auroc, precision
