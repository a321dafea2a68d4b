"""Thinning of frequent labels and over-sampling of rare ones, on training rows.

Both take the boolean labels of the training rows and give back row numbers, so neither can reach a validation or
test row: the caller never hands one over. An unknown label is False there, as `Cohort.labels` gives it: a row that may
carry a finding is not thinned for it, not protected by it and not repeated for its sake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chestxpert.errors import LabelError, RecipeError
from chestxpert.labels import LabelSpace
from chestxpert.taxonomy import MAJORITY

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


def rare_findings(label_space: LabelSpace, drop: Iterable[str] = ()) -> tuple[str, ...]:
    """Findings that count as rare: those neither thinned nor among the study's five majority findings.

    Parameters
    ----------
    label_space : LabelSpace
    drop : names of labels that are thinned, in any spelling the label space knows

    Returns
    -------
    tuple of str
        In label order; never `no_finding`, which is no finding. Over nih15 with the study's `drop`: the nine
        findings below the study's decision C.
    """
    frequent = {label_space.canonical(name) for name in drop} | {label_space.get(name) for name in MAJORITY}
    return tuple(finding for finding in label_space.findings if finding not in frequent)


def thin(
    labels: BoolArray,
    label_space: LabelSpace,
    drop: Mapping[str, float],
    protect: bool,
    rng: np.random.Generator,
) -> IntArray:
    """Rows that are left after dropping a share of those that carry each frequent label.

    The labels of `drop` are taken one after the other, in the mapping's order: of the rows still there that carry
    the label and may be dropped, the share is rounded to a number of rows, and that many are drawn. This is the
    down-sampling of the original study (Infiltration .63, Effusion .4, Atelectasis .4, No Finding .95).

    Parameters
    ----------
    labels : (N, K) bool array in label order
    label_space : LabelSpace
    drop : mapping of label to share dropped, in [0, 1]
    protect : bool
        True: a row that also carries a rare finding (`rare_findings`) may not be dropped, so that a share is one
        of the rows without any. 41.8 % of NIH's train_val images with a minority finding carry a majority one
        too, and would otherwise be thinned along with it. False: any row may be, as in the original study.
    rng : numpy.random.Generator

    Returns
    -------
    (n,) int64 array
        Positions of the rows kept, ascending. Empty if `labels` is.

    Raises
    ------
    LabelError
        If `drop` names a label that the space does not know, or `labels` has not K columns.
    RecipeError
        If a share lies outside [0, 1].
    """
    _check_labels(labels, label_space)
    droppable: BoolArray = np.ones(len(labels), dtype=np.bool_)
    if protect:
        rare = [label_space.index(name) for name in rare_findings(label_space, drop)]
        droppable = np.logical_not(labels[:, rare].any(axis=1))
    kept = np.ones(len(labels), dtype=np.bool_)
    for name, share in drop.items():
        if not 0 <= share <= 1:
            raise RecipeError(f"The share of '{name}' rows to drop lies in [0, 1], but got {share!r}.")
        rows = np.flatnonzero(kept & droppable & labels[:, label_space.index(name)])
        kept[rng.choice(rows, size=round(share * len(rows)), replace=False)] = False
    return np.flatnonzero(kept)


def oversample(
    labels: BoolArray,
    label_space: LabelSpace,
    findings: Sequence[str],
    target: float,
    max_copies: int,
    rng: np.random.Generator,
) -> IntArray:
    """Every row once, then the copies that bring each rare finding to its share.

    Findings are served rarest first. Each wants ``ceil(target * N)`` rows, N being the rows before any copy. What
    it lacks is drawn from the rows that carry it, those with the fewest copies so far first, at random among
    equals. A copied row counts for every finding it carries, so that a row with two rare findings serves both.
    Copies meet the original again only through the random augmentation of training batches; the original study
    wrote its augmented copies to disk and split them off afterwards, which put copies into validation.
    The idea is ML-ROS's (Charte et al., Addressing imbalance in multilabel classification, Neurocomputing 2015),
    with a fixed share in place of the mean imbalance ratio.

    Parameters
    ----------
    labels : (N, K) bool array in label order, training rows only
    label_space : LabelSpace
    findings : names of the findings to bring up, in any spelling the label space knows
    target : float
        Share of the N rows that should carry each, in [0, 1].
    max_copies : int
        Most copies of one row, at least 0. A finding on few rows can stay below the target because of it.
    rng : numpy.random.Generator

    Returns
    -------
    (N + copies,) int64 array
        ``0..N-1``, then the rows copied, ascending, each as often as it is copied.

    Raises
    ------
    LabelError
        If a finding is unknown, or `labels` has not K columns.
    RecipeError
        If `target` or `max_copies` is out of range.
    """
    _check_labels(labels, label_space)
    if not 0 <= target <= 1 or max_copies < 0:
        raise RecipeError(
            "Over-sampling takes a target share in [0, 1] and at least 0 copies a row, but got "
            f"{target!r} and {max_copies!r}."
        )
    wanted = int(np.ceil(target * len(labels) - 1e-9))  # 0.05 * 1000 must be 50, not 51
    columns = sorted({label_space.index(name) for name in findings}, key=lambda k: (labels[:, k].sum(), k))
    copies = np.zeros(len(labels), dtype=np.int64)
    for column in columns:
        carriers = np.flatnonzero(labels[:, column])
        lacking = wanted - int((1 + copies[carriers]).sum())
        _copy_evenly(copies, carriers, lacking, max_copies, rng)
    return np.concatenate([np.arange(len(labels)), np.repeat(np.arange(len(labels)), copies)])


def _copy_evenly(copies: IntArray, carriers: IntArray, lacking: int, max_copies: int, rng: np.random.Generator) -> None:
    """Add up to `lacking` copies over `carriers`, in place, the least copied first."""
    for level in range(max_copies):
        if lacking <= 0:
            return
        at_level = rng.permutation(carriers[copies[carriers] == level])[:lacking]
        copies[at_level] += 1
        lacking -= len(at_level)


def _check_labels(labels: BoolArray, label_space: LabelSpace) -> None:
    if labels.ndim != 2 or labels.shape[1] != len(label_space):
        raise LabelError(
            f"Labels of '{label_space.name}' have one column for each of its {len(label_space)} labels, but got an "
            f"array of shape {labels.shape}."
        )
