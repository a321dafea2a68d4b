"""AUROC and average precision in every bootstrap draw at once.

Sorting depends on the scores alone, so it is done once a label; a draw only changes the weights, and all that both
metrics need are running sums of weights at the scores that positives have. Equal scores form one group, as in
scikit-learn, to which results are equal up to rounding.

Draws lie side by side in memory, images below each other: one step down the ranking is one addition for all draws. The
weights between two positives are added up by a sparse product, of the ranking and the patients' weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from chestxpert.evaluation.bootstrap import IntArray, PatientDraws, Weights
from chestxpert.evaluation.metrics import BoolArray, FloatArray, ratio

LIGHT = 2**15
"""Below this weight of all images the sparse products are of 16-bit numbers, which takes half as long."""
MANY = 4
"""Images of a patient from which on it pays to make them."""

T = TypeVar("T")
R = TypeVar("R")

ROWS = 256
"""Groups that are worked on together: with the draws of one part they fit into a processor's own cache."""


@dataclass(frozen=True, eq=False)
class WeightedSums:
    """Weights at G groups of equal scores that hold a positive, highest score first, in each of d draws.

    Whole numbers all of them, in a type that holds them exactly.

    Parameters
    ----------
    gain, hits : (G, d) arrays
        Weight of the positives of each group, and of those down to its end.
    group, reached : (G, d) arrays
        Weight of all images of each group, and of those down to its end.
    """

    gain: Weights
    hits: Weights
    group: Weights
    reached: Weights

    def less(self, other: WeightedSums) -> WeightedSums:
        """The sums of what `other` leaves of these."""
        return WeightedSums(*(getattr(self, name) - getattr(other, name) for name in self.__dataclass_fields__))


class Areas:
    """The areas under both curves of d draws, added up from blocks of sums."""

    def __init__(self, draws: int) -> None:
        self._precision, self._outranked = np.zeros(draws), np.zeros(draws)
        self._positives: FloatArray = np.zeros(draws)

    def add(self, sums: WeightedSums) -> None:
        """Go down one more block; overwrites its `reached` and `group`."""
        self._positives = sums.hits[-1].astype(np.float64)
        # Where nothing is reached, nothing is gained: whatever stands for the precision there weighs 0.
        reached = np.maximum(sums.reached, 1, out=sums.reached)
        self._precision += _dot(sums.gain, np.divide(sums.hits, reached, dtype=np.float64))
        # Half a group's ties count, so gain * (above + reached) / 2 is what outranks the positives.
        both = np.multiply(reached, 2, out=reached)
        both -= sums.group
        self._outranked += _dot(sums.gain, both)

    def metrics(self, images: FloatArray) -> tuple[FloatArray, FloatArray]:
        """AUROC and average precision, NaN where undefined; `images` is (d,) the weight of all images."""
        positives = self._positives
        # Outranked holds each pair of positives too, P * P / 2 in all, whatever their order.
        pairs = 2 * positives * (images - positives)
        return 1 - ratio(self._outranked - positives**2, pairs), ratio(self._precision, positives)


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
        order = np.argsort(-scores)  # equal scores in any order: they are one group
        held, patients = truth[order], patient_of_image[order]
        ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, len(order) > 0))
        starts = np.append(0, ends[:-1] + 1)[: len(ends)]
        positives = np.diff(np.cumsum(held)[ends], prepend=0)
        used = positives > 0
        positive_starts = np.cumsum(positives[used]) - positives[used]
        last = int(ends[used][-1]) + 1 if used.any() else 0
        images = np.bincount(patients)
        return cls(patients[:last], images, patients[held], starts[used], ends[used], positive_starts)

    def measure(self, weights: Weights) -> tuple[FloatArray, FloatArray]:
        """AUROC and average precision for (P, d) weights of patients: two (d,) arrays, NaN where undefined."""
        areas = Areas(weights.shape[1])
        for sums in self.blocks(weights):
            areas.add(sums)
        return areas.metrics(self.weight(weights))

    def measure_split(self, weights: Weights) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        """As `measure`, for weights of 0 and 1, and for what they leave out: all sums of the rest are differences."""
        chosen, rest = Areas(weights.shape[1]), Areas(weights.shape[1])
        for whole, sums in zip(self._blocks_of_all, self.blocks(weights), strict=True):
            rest.add(whole.less(sums))
            chosen.add(sums)
        images = self.weight(weights)
        return chosen.metrics(images), rest.metrics(self.images.sum() - images)

    def hits_among_first(self, weights: Weights, called: FloatArray) -> FloatArray:
        """Positives among the images with the highest scores, for (P, d) weights of patients.

        Parameters
        ----------
        weights : (P, d) array
        called : (d, C) array
            How many images are taken. Where a group of equal scores is taken in part, so are its positives.

        Returns
        -------
        (d, C) float64 array
        """
        if not len(self.ends):
            return np.zeros(called.shape)
        sums, draw = self.sums(weights), np.arange(len(called))[:, None]
        whole = _places(sums.reached, called)
        found = np.where(whole > 0, sums.hits[np.maximum(whole, 1) - 1, draw], 0).astype(np.float64)
        after = np.minimum(whole, len(self.ends) - 1)
        group = sums.group[after, draw]
        share = ratio(called - (sums.reached[after, draw] - group), group)
        part = np.clip(np.nan_to_num(share), 0, 1) * sums.gain[after, draw]
        return found + np.where(whole < len(self.ends), part, 0.0)

    def weight(self, weights: Weights) -> FloatArray:
        """(d,) weight of all images."""
        return np.asarray(self.images.astype(weights.dtype) @ weights[: len(self.images)], dtype=np.float64)

    def positives(self, weights: Weights) -> FloatArray:
        """(d,) weight of the positives."""
        each = np.bincount(self.positive_patients, minlength=len(self.images)).astype(weights.dtype)
        return np.asarray(each @ weights[: len(each)], dtype=np.float64)

    def sums(self, weights: Weights) -> WeightedSums:
        """All sums at once, for (P, d) weights of patients; `few_at_a_time` keeps them small."""
        blocks = list(self.blocks(weights)) or [WeightedSums(*np.zeros((4, 0, weights.shape[1]), weights.dtype))]
        return WeightedSums(
            *(np.concatenate([getattr(b, f) for b in blocks]) for f in WeightedSums.__dataclass_fields__)
        )

    def few_at_a_time(self, part: slice, weights: Weights, cells: int = 256_000) -> Iterator[tuple[slice, Weights]]:
        """Fewer draws each, so that G times their number stays near `cells`, for those who need all sums at once."""
        step = max(1, cells // max(1, len(self.ends)))
        for start in range(0, weights.shape[1], step):
            some = np.ascontiguousarray(weights[:, start : start + step])
            yield slice(part.start + start, part.start + start + some.shape[1]), some

    def blocks(self, weights: Weights) -> Iterator[WeightedSums]:
        """Running sums of (P, d) weights of patients at the groups that hold a positive, some groups at a time."""
        weights = weights[: len(self.images)]
        before, added = np.zeros((2, weights.shape[1]), dtype=weights.dtype), weights
        if len(self.patients) > MANY * len(weights) and self.weight(weights).max(initial=0) < LIGHT:
            added = weights.astype(np.int16)
        for positives, down_to, within in self._products:
            alone = not isinstance(positives, csr_array)
            gain = np.take(weights, positives, axis=0) if alone else (positives @ added).astype(weights.dtype)
            since = down_to @ added
            group = gain if within is None else since if within is down_to else within @ added
            group = group.astype(weights.dtype, copy=False)
            running = np.empty((len(gain), *before.shape), dtype=weights.dtype)
            running[:, 0], running[:, 1] = since, gain
            for row in running:
                before = np.add(row, before, out=row)
            before = before.copy()  # the block may be overwritten
            yield WeightedSums(gain, running[:, 1], group, running[:, 0])

    @cached_property
    def _products(self) -> list[tuple[IntArray | csr_array, csr_array, csr_array | None]]:
        """For each block of groups its positives, the images down to each group since the one before, and within it.

        Positives are their patients where each group has one. Within is None where each group is one image, and the
        same as down to where nothing lies between the groups.
        """
        since = np.append(0, self.ends + 1)
        result = []
        for first in range(0, len(self.ends), ROWS):
            last = min(first + ROWS, len(self.ends))
            starts, ends = self.starts[first:last], self.ends[first:last] + 1
            down_to = self._images(since[first:last], ends)
            alone, side_by_side = (ends - starts == 1).all(), (starts == since[first:last]).all()
            within = None if alone else down_to if side_by_side else self._images(starts, ends)
            result.append((self._positives(first, last), down_to, within))
        return result

    def _positives(self, first: int, last: int) -> IntArray | csr_array:
        """Patients of the positives of some groups; where groups have several, the matrix that adds them up."""
        starts = self.positive_starts[first:last]
        end = len(self.positive_patients) if last == len(self.ends) else int(self.positive_starts[last])
        patients = self.positive_patients[starts[0] : end]
        if len(patients) == len(starts):
            return patients
        return self._matrix(patients, np.append(starts, end) - starts[0])

    def _matrix(self, patients: IntArray, ends: IntArray) -> csr_array:
        """(G, p) matrix that adds up images of these patients, those of each group up to the next of G + 1 ends."""
        ones = np.ones(len(patients), dtype=np.int16)  # a product has the type of the weights
        parts = (ones, patients.astype(np.int32), ends.astype(np.int32))
        return csr_array(parts, shape=(len(ends) - 1, len(self.images)))

    def _images(self, starts: IntArray, stops: IntArray) -> csr_array:
        """(G, p) matrix that adds up the images from each start to its stop, of rising and disjoint stretches."""
        first, last = int(starts[0]), int(stops[-1])
        inside = np.zeros(last - first + 1, dtype=np.int64)
        np.add.at(inside, starts - first, 1)
        np.add.at(inside, stops - first, -1)
        chosen = self.patients[first:last][np.cumsum(inside[:-1]) > 0]
        ends = np.append(0, np.cumsum(stops - starts))
        return self._matrix(chosen, ends)

    @cached_property
    def _blocks_of_all(self) -> list[WeightedSums]:
        """The sums where every patient weighs 1."""
        return list(self.blocks(np.ones((len(self.images), 1), dtype=np.float32)))


def _places(rising: Weights, wanted: FloatArray) -> IntArray:
    """How many of the G rising numbers of each draw, (G, d), are at most what is wanted, (d, C): (d, C)."""
    low, high = np.zeros(wanted.shape, dtype=np.int64), np.full(wanted.shape, len(rising))
    draw = np.arange(len(wanted))[:, None]
    for _ in range(len(rising).bit_length()):
        middle = (low + high) // 2
        enough = (low < high) & (rising[np.minimum(middle, len(rising) - 1), draw] <= wanted)
        low, high = np.where(enough, middle + 1, low), np.where(enough, high, np.maximum(middle, low))
    return low


def _dot(left: npt.NDArray[np.floating], right: npt.NDArray[np.floating]) -> FloatArray:
    """Column by column inner product in float64, without a temporary of the operands' size."""
    return np.asarray(np.einsum("gd,gd->d", left, right, dtype=np.float64))


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
        Threads; by default one a processor, or OMP_NUM_THREADS. The result does not depend on it.
    known : (N, K) bool array, optional
        Where the truth is known; everywhere by default. Each label is ranked among its own known images.

    Returns
    -------
    auroc, average_precision : (D, K) float64 arrays
        NaN where a draw has no positive (for AUROC: or no negative).
    """
    return ranked_draws(rank_labels(truth, probs, draws, known, workers), draws, workers)


def ranked_draws(
    ranked: Sequence[RankedLabel], draws: PatientDraws, workers: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """As `drawn_ranking`, for labels whose images are sorted already, as `rank_labels` does it."""
    auroc, precision = np.empty((2, len(draws), len(ranked)))

    def measure(part: slice, weights: Weights, label: int) -> None:
        auroc[part, label], precision[part, label] = ranked[label].measure(weights)

    each_part(ranked, draws, measure, workers)
    return auroc, precision


def split_ranking(
    ranked: Sequence[RankedLabel], draws: PatientDraws, workers: int | None = None
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """As `drawn_ranking`, for draws that take each patient once or not at all, and for the patients they leave out.

    Parameters
    ----------
    ranked : K labels, as `rank_labels` gives them
    draws : PatientDraws
    workers : int, optional

    Returns
    -------
    two pairs (auroc, average_precision) of (D, K) float64 arrays
        Of the patients drawn, and of the others.
    """
    results = np.empty((2, 2, len(draws), len(ranked)))

    def measure(part: slice, weights: Weights, label: int) -> None:
        for side, values in enumerate(ranked[label].measure_split(weights)):
            results[side, 0, part, label], results[side, 1, part, label] = values

    each_part(ranked, draws, measure, workers)
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
    ranked = rank_labels(truth, probs, draws, known)

    def measure(part: slice, weights: Weights, label: int) -> None:
        for rows, some in ranked[label].few_at_a_time(part, weights):
            hits[rows, label] = ranked[label].hits_among_first(some, called[rows, label])

    each_part(ranked, draws, measure)
    return hits


def rank_labels(
    truth: BoolArray,
    probs: FloatArray,
    draws: PatientDraws,
    known: BoolArray | None = None,
    workers: int | None = None,
) -> list[RankedLabel]:
    """Sort the images of every label, its known ones, for what is to be measured in draws over them."""

    def rank(label: int) -> RankedLabel:
        rows = slice(None) if known is None else known[:, label]
        return RankedLabel.of(truth[rows, label], probs[rows, label], draws.patient_of_image[rows])

    return _in_threads(rank, range(truth.shape[1]), workers)


def each_part(
    ranked: Sequence[RankedLabel],
    draws: PatientDraws,
    measure: Callable[[slice, Weights, int], None],
    workers: int | None = None,
) -> None:
    """Call `measure` with every part of the draws, the (P, d) weights of patients in it, and every label; in threads.

    NumPy and SciPy let go of the interpreter lock in products and arithmetic, so threads do run side by side.
    """
    # Labels with many positives take longest; begun first, they leave no thread alone at the end.
    order = sorted(range(len(ranked)), key=lambda label: -len(ranked[label].ends))
    tasks = [(part, weights, label) for label in order for part, weights in draws.weights]
    _in_threads(lambda task: measure(*task), tasks, workers)


def _in_threads(work: Callable[[T], R], tasks: Sequence[T], workers: int | None) -> list[R]:
    """Results in order; by default from a thread a processor, or from as many as libraries are told to take."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    threads = workers or (int(told) if told.isdecimal() else 0) or os.cpu_count() or 1
    if threads == 1:
        return [work(task) for task in tasks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, tasks))
