"""Head, medium and tail: every metric of every recipe as a mean over the findings of each frequency group.

Groups are those of `chestxpert.cohort.frequency`, by the training images alone: which finding is rare is known before
anything is measured. No Finding is in none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chestxpert.cohort.frequency import GROUPS, HEAD, TAIL, training_groups
from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.estimates import claimed, mean_over_labels
from chestxpert.evaluation.further import BIASED_IN_DRAWS, FITTED
from chestxpert.evaluation.measures import Values
from chestxpert.evaluation.metrics import macro, ratio

Members = dict[str, list[str]]


def group_members(cohort: Cohort) -> Members:
    """Findings of each group, in label order; a group may be empty."""
    placed = training_groups(cohort)
    return {group: [name for name, where in placed.items() if where == group] for group in GROUPS}


def describe_groups(
    cohort: Cohort,
    points: Mapping[str, Sequence[Values]],
    draws: Mapping[str, Sequence[Values]],
    moves: Mapping[str, Sequence[Values]] | None = None,
) -> dict[str, Any]:
    """The ``groups`` of comparison.json.

    Parameters
    ----------
    cohort : Cohort
    points : mapping of recipe to one mapping a seed of metric to (K,) array
    draws : the same with (D, K) arrays
        A metric may be missing for a recipe; it has no interval then.
    moves : the same with (G, K) arrays, optional
        Influences of patients left out, from which average precision has its interval, as its mean over all labels.

    Returns
    -------
    dict
        ``cuts`` (shares of the training images), ``findings`` of each group, ``prevalence`` (mean over the group's
        findings on test, beside which its average precision is to be read), and ``recipes``: by recipe, group and
        metric the mean over the group's findings, with interval, n_defined and n_undefined.
    """
    members = group_members(cohort)
    space = cohort.label_space
    columns = {group: [space.index(name) for name in names] for group, names in members.items()}
    positives, known = cohort.counts("test"), cohort.known_counts("test")
    return {
        "cuts": {"head_above": HEAD, "tail_below": TAIL},
        "findings": members,
        "prevalence": {
            group: float(macro([float(ratio(positives[name], known[name])) for name in names]))
            for group, names in members.items()
        },
        "recipes": {
            name: {
                group: _means(points[name], draws[name], (moves or {}).get(name, ()), chosen)
                for group, chosen in columns.items()
            }
            for name in points
        },
    }


def _means(
    points: Sequence[Values], draws: Sequence[Values], moves: Sequence[Values], columns: Sequence[int]
) -> dict[str, Any]:
    means = {
        metric: mean_over_labels(
            [np.asarray(seed[metric]) for seed in points],
            [seed[metric] for seed in draws if metric in seed],
            columns,
            reflected=metric in BIASED_IN_DRAWS,
            moves=[seed["ap"] for seed in moves] if metric == "ap" else (),
        )
        for metric in points[0]
        if metric not in FITTED  # a single rare finding could carry their mean away
    }
    return claimed(means)
