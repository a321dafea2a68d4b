"""Draws that choose a label first, and then a row that carries it.

With ``n_j`` the rows that carry label j, label j is chosen with probability ``p_j = n_j**q / sum(n**q)`` (Kang et al.,
Decoupling representation and classifier for long-tailed recognition, ICLR 2020, equation 1), and then one of its rows,
all of them alike. The paper has one label a row. Here a row with several can be chosen by way of each of them, so it is
drawn by the sum of what they give it; a row without any label carries one more, 'none of them', without which a network
that asks for one finding would never see what a negative looks like. An epoch has N rows, as many as there are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def class_balanced(labels: BoolArray, rng: np.random.Generator, progress: float) -> IntArray:
    """With q = 0: every label is as likely as any other, however rare."""
    return _by_label(labels, 0.0, len(labels), rng)


def square_root(labels: BoolArray, rng: np.random.Generator, progress: float) -> IntArray:
    """With q = 1/2: a label is as likely as the root of its rows says (Mahajan et al., ECCV 2018)."""
    return _by_label(labels, 0.5, len(labels), rng)


def progressive(labels: BoolArray, rng: np.random.Generator, progress: float) -> IntArray:
    """From every row alike to every label alike over the epochs.

    ``p(t) = (1 - t/T) p_instance + (t/T) p_class`` in epoch t of T (Kang et al., ICLR 2020, progressively-balanced
    sampling). ``t/T`` of the rows are drawn by label, the others are different rows drawn without looking at labels.
    The last epoch is wholly class-balanced.
    """
    by_label = round(progress * len(labels))
    others = rng.permutation(len(labels))[by_label:]
    return np.concatenate([others, _by_label(labels, 0.0, by_label, rng)])


def label_groups(labels: BoolArray) -> BoolArray:
    """Rows of each label that any row carries, and of 'none of them' if there are such rows: (N, G) bool."""
    groups = np.column_stack([labels, ~labels.any(axis=1)])
    return groups[:, groups.any(axis=0)]


def group_shares(groups: BoolArray, power: float) -> FloatArray:
    """(G,) probabilities of Kang et al.'s equation 1, with `power` for q."""
    weights = groups.sum(axis=0).astype(np.float64) ** power
    return np.asarray(weights / weights.sum())


def _by_label(labels: BoolArray, power: float, count: int, rng: np.random.Generator) -> IntArray:
    groups = label_groups(labels)
    times = rng.multinomial(count, group_shares(groups, power))
    carriers = [np.flatnonzero(groups[:, group]) for group in range(groups.shape[1])]
    return np.concatenate([_evenly(rows, wanted, rng) for rows, wanted in zip(carriers, times, strict=True)])


def _evenly(rows: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """`count` of `rows`, each as often as any other but for one: a shuffled list gone through again and again.

    Class-aware sampling does so (Shen et al., Relay backpropagation, ECCV 2016, section 3.4): on average the same as
    drawing each time from all of them, without leaving out by chance a row that is one of few.
    """
    rounds, rest = divmod(count, len(rows))
    return np.concatenate([np.tile(rows, rounds), rng.permutation(rows)[:rest]])
