"""Hierarchical precision, recall and F1: how far a wrong finding lies from the right one counts.

Kiritchenko, Matwin and Famili, Functional annotation of genes using hierarchical text categorization, BioLINK SIG
at ISMB 2005, and Learning and evaluation in the presence of class hierarchies, Canadian AI 2006, section 4: the
true labels T and the decided labels P of an image are each enlarged by all their ancestors except the root, and
with sums over all images

    hP = sum |P & T| / sum |P|,    hR = sum |P & T| / sum |T|,    hF1 = 2 hP hR / (hP + hR).

No Finding is a node of its own below the root, on level 1. Cut down to the nodes of one depth, the same sums say how
well that level is told; over all levels they add up to the whole. Any recipe's decisions can be measured so, a flat
one's too. Where labels are unknown, T and P are cut down to the nodes of which it is known whether they hold
(`Taxonomy.known`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.metrics import BoolArray, FloatArray, ratio
from chestxpert.taxonomy import Taxonomy


def with_ancestors(labels: BoolArray, taxonomy: Taxonomy, known: BoolArray | None = None) -> BoolArray:
    """Labels enlarged by their ancestors, as columns of nodes and, last, No Finding if the space has one.

    Parameters
    ----------
    labels : (N, K) bool array in label order
    taxonomy : Taxonomy
    known : (N, K) bool array, optional
        Where the labels are known; everywhere by default.

    Returns
    -------
    (N, M + 1) bool array, or (N, M) in a label space without No Finding; False where it is not known
    """
    nodes = taxonomy.targets(labels, known)
    return _with_no_finding(nodes, labels if known is None else labels & known, taxonomy)


def _with_no_finding(nodes: BoolArray, labels: BoolArray, taxonomy: Taxonomy) -> BoolArray:
    no_finding = taxonomy.label_space.no_finding
    if no_finding is None:
        return nodes
    return np.column_stack([nodes, labels[:, taxonomy.label_space.index(no_finding)]])


def hierarchical_counts(
    truth: BoolArray, decisions: BoolArray, taxonomy: Taxonomy, known: BoolArray | None = None
) -> npt.NDArray[np.int64]:
    """Sizes of P & T, P and T for each image: an (N, 3) integer array.

    Parameters
    ----------
    truth, decisions : (N, K) bool arrays in label order
    taxonomy : Taxonomy
    known : (N, K) bool array, optional
        Where the truth is known; everywhere by default.
    """
    return _sizes(*_sets(truth, decisions, taxonomy, known))


def hierarchical_level_counts(
    truth: BoolArray, decisions: BoolArray, taxonomy: Taxonomy, known: BoolArray | None = None
) -> npt.NDArray[np.int64]:
    """`hierarchical_counts` of each level of the tree by itself: an (N, L, 3) integer array, that of level 1 first.

    No Finding is on level 1, beside the node of which it is the absence.
    """
    held, decided = _sets(truth, decisions, taxonomy, known)
    depths = np.array([*taxonomy.levels, 1][: held.shape[1]])
    levels = [depths == level for level in range(1, max(taxonomy.levels) + 1)]
    return np.stack([_sizes(held[:, here], decided[:, here]) for here in levels], axis=1)


def _sets(
    truth: BoolArray, decisions: BoolArray, taxonomy: Taxonomy, known: BoolArray | None
) -> tuple[BoolArray, BoolArray]:
    """T and P as columns, cut down to what is known."""
    held, decided = with_ancestors(truth, taxonomy, known), with_ancestors(decisions, taxonomy)
    if known is not None:
        decided = decided & _with_no_finding(taxonomy.known(truth, known), known, taxonomy)
    return held, decided


def _sizes(held: BoolArray, decided: BoolArray) -> npt.NDArray[np.int64]:
    return np.column_stack([(held & decided).sum(axis=1), decided.sum(axis=1), held.sum(axis=1)]).astype(np.int64)


def hierarchical_scores(counts: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Hierarchical precision, recall and F1 from summed counts.

    Parameters
    ----------
    counts : (..., 3) array
        Sums over images of the columns of `hierarchical_counts`.

    Returns
    -------
    Three arrays of shape (...); NaN where the denominator is 0.
    """
    both, decided, held = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    return ratio(both, decided), ratio(both, held), ratio(2 * both, decided + held)
