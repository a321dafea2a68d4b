"""The truth of what a run states: of labels, or of a tree's nodes where they are asked."""

from __future__ import annotations

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.metrics import BoolArray, FloatArray, ratio
from chestxpert.evaluation.predictions import Predictions


def answer_names(predictions: Predictions) -> tuple[str, ...]:
    """Names of the C columns of `inference.answers_of`."""
    tree = predictions.taxonomy
    return predictions.label_space.labels if tree is None else tree.nodes


def true_answers(predictions: Predictions, cohort: Cohort, split: str) -> tuple[BoolArray, BoolArray]:
    """Truth of each answer on the images of a split, and where it counts: the label known, the decision asked.

    Returns
    -------
    truth, counts : (n, C) bool arrays
    """
    rows, tree = cohort.rows(split), predictions.taxonomy
    labels, known = cohort.labels(rows), cohort.known(rows)
    if tree is None:
        return labels, known
    return tree.targets(labels, known), tree.mask(labels, known)


def prevalence(truth: BoolArray, counts: BoolArray) -> FloatArray:
    """(C,) share of positives among the images that count; NaN where none does."""
    return ratio((truth & counts).sum(axis=0), np.asarray(counts.sum(axis=0)))
