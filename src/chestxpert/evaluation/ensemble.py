"""Ensembles: one prediction from those of several runs, without their networks.

The default, ``probs``, is that of Lakshminarayanan, Pritzel and Blundell, Simple and scalable predictive uncertainty
estimation using deep ensembles, NeurIPS 2017, section 2.4: members are a mixture of equal weights, so probabilities are
averaged. ``logits`` averages log-odds, which is the geometric mean of the odds (a logarithmic opinion pool: Heskes,
Selecting weighting factors in logarithmic opinion pools, NeurIPS 1997); a member that is sure then outvotes several
that are not. ``ranks`` averages, for each label, the rank of an image among all images of its split: it takes members
on different scales, but its values are no probabilities, and depend on the other images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.log_odds import finite_logit, sigmoid
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.uncertainty.auroc_parts import midranks
from chestxpert.taxonomy import Taxonomy

Average = Literal["probs", "logits", "ranks"]
AVERAGES: tuple[Average, ...] = get_args(Average)
COSTS = ("parameters", "train_seconds", "train_image_passes", "ms_per_image")


def average_predictions(members: Sequence[Predictions], cohort: Cohort, average: Average = "probs") -> Predictions:
    """The predictions of an ensemble for the validation and test images of a cohort.

    Members that are hierarchies down one tree make a hierarchy: the mixture's probability of each node is the mean of
    theirs, and its probability given the parent is that mean divided by the parent's. Averaged logits are those of the
    conditionals. Otherwise, and for ranks, the ensemble has a probability of each label and no tree.

    Parameters
    ----------
    members : sequence of Predictions
        At least two.
    cohort : Cohort
    average : {"probs", "logits", "ranks"}

    Raises
    ------
    PredictionsError
        If there are fewer than two members, or one has other labels or lacks images.
    """
    if len(members) < 2:
        raise PredictionsError(f"An ensemble has at least two members, but got {len(members)}.")
    tree = None if average == "ranks" else common_tree(members)
    splits = [split for split in ("val", "test") if len(cohort.rows(split))]
    parts = [_of_split([each.align(cohort, split) for each in members], average, tree) for split in splits]
    rows, answers = np.concatenate([cohort.rows(split) for split in splits]), np.concatenate(parts)
    return Predictions.from_arrays(
        image_ids=cohort.image_ids[rows],
        split=cohort.table["split"].to_numpy()[rows],
        probs=answers if tree is None else tree.marginals_from_conditionals(answers),
        label_space=members[0].label_space,
        conditionals=None if tree is None else answers,
        taxonomy=tree,
    )


def common_tree(members: Sequence[Predictions]) -> Taxonomy | None:
    """The tree that all members go down; None if one is flat or two differ."""
    first = members[0].taxonomy
    return first if all(each.taxonomy == first for each in members) else None


def architecture_of(members: Sequence[str], tree: Taxonomy | None) -> str:
    """What an ensemble is, from its members' architectures.

    Theirs where all have one and it keeps its tree; "hierarchical" for different ones down one tree; "flat" for flat
    ones; "mixed" for what has a probability of each label alone, though a member is a hierarchy.
    """
    if all(each == "flat" for each in members):
        return "flat"
    if tree is None:
        return "mixed"
    return members[0] if len(set(members)) == 1 else "hierarchical"


def total_cost(costs: Sequence[Mapping[str, Any]]) -> dict[str, float | int | None]:
    """What all members cost together: every network was trained, is kept, and is asked. None where one is not known."""
    return {
        key: sum(cost[key] for cost in costs) if all(cost.get(key) is not None for cost in costs) else None
        for key in COSTS
    }


def _of_split(
    members: Sequence[tuple[FloatArray, FloatArray | None]], average: Average, tree: Taxonomy | None
) -> FloatArray:
    """(n, C) averaged answers: of the tree's nodes given their parents, or of labels."""
    if tree is None:
        probs = np.stack([probs for probs, _ in members])
        if average == "ranks":
            return np.asarray(np.mean([_ranks(each) for each in probs], axis=0))
        return _mean_odds(probs) if average == "logits" else np.asarray(probs.mean(axis=0))
    given = np.stack([given for _, given in members if given is not None])
    return _mean_odds(given) if average == "logits" else _mixture(given, tree)


def _mean_odds(probs: FloatArray) -> FloatArray:
    return sigmoid(finite_logit(probs).mean(axis=0))


def _mixture(given: FloatArray, tree: Taxonomy) -> FloatArray:
    """(n, M) conditionals of the mixture of members whose conditionals are (members, n, M)."""
    nodes, result = given.copy(), given.mean(axis=0)
    for column, node in enumerate(tree.nodes):
        parent = tree.parent(node)
        if parent is None:
            continue
        above = tree.nodes.index(parent)
        nodes[..., column] *= nodes[..., above]
        mass = nodes[..., above].sum(axis=0)
        # Where no member thinks the parent possible, the mean of what they say of the child stays.
        here = np.divide(nodes[..., column].sum(axis=0), mass, out=result[:, column].copy(), where=mass > 0)
        result[:, column] = np.minimum(here, 1.0)
    return np.asarray(result)


def _ranks(values: FloatArray) -> FloatArray:
    """(n, K) ranks of each column, from 0.5 / n for the lowest to 1 - 0.5 / n; equal values share the mean rank."""
    ranks = [midranks(column) for column in values.T]
    return np.asarray((np.stack(ranks, axis=1) - 0.5) / len(values))
