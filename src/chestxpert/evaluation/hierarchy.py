"""Hierarchical precision, recall and F1: how far a wrong finding lies from the right one counts.

Kiritchenko, Matwin and Famili, Functional annotation of genes using hierarchical text categorization, BioLINK SIG
at ISMB 2005, and Learning and evaluation in the presence of class hierarchies, Canadian AI 2006, section 4: the
true labels T and the decided labels P of an image are each enlarged by all their ancestors except the root, and
with sums over all images

    hP = sum |P & T| / sum |P|,    hR = sum |P & T| / sum |T|,    hF1 = 2 hP hR / (hP + hR).

No Finding is a node of its own below the root. Any recipe's decisions can be measured so, a flat one's too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.metrics import BoolArray, FloatArray, ratio
from chestxpert.taxonomy import Taxonomy


def with_ancestors(labels: BoolArray, taxonomy: Taxonomy) -> BoolArray:
    """Labels enlarged by their ancestors, as columns of nodes and, last, No Finding if the space has one.

    Parameters
    ----------
    labels : (N, K) bool array in label order
    taxonomy : Taxonomy

    Returns
    -------
    (N, M + 1) bool array, or (N, M) in a label space without No Finding
    """
    nodes = taxonomy.targets(labels)
    no_finding = taxonomy.label_space.no_finding
    if no_finding is None:
        return nodes
    return np.column_stack([nodes, labels[:, taxonomy.label_space.index(no_finding)]])


def hierarchical_counts(truth: BoolArray, decisions: BoolArray, taxonomy: Taxonomy) -> npt.NDArray[np.int64]:
    """Sizes of P & T, P and T for each image: an (N, 3) integer array.

    Parameters
    ----------
    truth, decisions : (N, K) bool arrays in label order
    taxonomy : Taxonomy
    """
    held, decided = with_ancestors(truth, taxonomy), with_ancestors(decisions, taxonomy)
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
