"""One label's images sorted once: what every draw of patients needs of them, and the areas that come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from chestxpert.evaluation.bootstrap import IntArray, Weights
from chestxpert.evaluation.metrics import BoolArray, FloatArray, ratio

LIGHT = 2**15
"""Below this weight of all images the sparse products are of 16-bit numbers, which takes half as long."""


MANY = 4
"""Images of a patient from which on it pays to make them."""


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
