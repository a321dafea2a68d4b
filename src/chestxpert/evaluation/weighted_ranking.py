"""AUROC and average precision in every bootstrap draw at once.

Sorting depends on the scores alone, so it is done once a label; a draw only changes the weights, and all that both
metrics need are running sums of weights at the scores that positives have. Equal scores form one group, as in
scikit-learn, to which results are equal up to rounding.

Draws lie side by side in memory, images below each other: one step down the ranking is one addition for all draws. The
weights between two positives are added up by a sparse product, of the ranking and the patients' weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from chestxpert.evaluation.bootstrap import PatientDraws, Weights
from chestxpert.evaluation.metrics import BoolArray, FloatArray
from chestxpert.evaluation.ranked_label import RankedLabel

T = TypeVar("T")
R = TypeVar("R")


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
