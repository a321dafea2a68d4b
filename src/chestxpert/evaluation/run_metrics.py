"""The evaluation of one run, as evaluation.json holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chestxpert.cohort.frequency import Group
from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.levels import InnerNodes, describe_levels
from chestxpert.evaluation.measures import Measured, averaged_values, point_metrics
from chestxpert.evaluation.metrics import n_defined
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.routing import found_by_decisions, lost_along_tree, node_confusion
from chestxpert.evaluation.scored import Operating, Scored, aligned
from chestxpert.evaluation.thresholds import Thresholds
from chestxpert.taxonomy import Taxonomy

SCHEMA = 1


def evaluate_run(
    predictions: Predictions,
    cohort: Cohort,
    taxonomy: Taxonomy,
    not_learnt: Sequence[str] = (),
    routing: Mapping[str, Any] | None = None,
    stage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All metrics of one run on validation and test.

    Thresholds come from validation, so thresholded metrics there are optimistic; they are honest on test.

    Parameters
    ----------
    predictions : Predictions
        Covering the validation and test images of the cohort.
    cohort : Cohort
    taxonomy : Taxonomy
        The tree that hierarchical metrics are measured on.
    not_learnt : sequence of str
        Labels that no training image could teach. They are measured as they are, and named beside the figures.
    routing : mapping, optional
        How the predictions were routed, as `inference.route_predictions` says.
    stage : mapping, optional
        What the second stage of training did to each network.

    Returns
    -------
    dict
        Strict JSON values (undefined is None): ``thresholds``, and for ``val`` and ``test`` (test only if the
        cohort has such images) ``images``, ``patients``, ``metrics``, ``defined``, ``per_label``, ``levels`` and
        ``tree``; an entry of ``per_label`` has ``n_known`` where that is less than all images. ``taxonomy`` is the name
        of the tree. ``not_learnt`` if there are any, ``routing`` and ``stage`` if they are given.

    Raises
    ------
    PredictionsError
        If there are no validation images, or images without predictions.
    """
    operating = Operating.choose(predictions, cohort)
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "simulated": cohort.simulated,
        "label_space": list(cohort.label_space.labels),
        "cohort_fingerprint": cohort.fingerprint,
        "taxonomy": taxonomy.name,
        "thresholds": {
            "chosen_on": "val",
            "criterion": "f1",
            "labels": _thresholds(cohort.label_space.labels, operating.labels),
            "nodes": None,
        },
    }
    if not_learnt:
        result["not_learnt"] = list(not_learnt)
    if routing is not None:
        result["routing"] = dict(routing)
    if stage is not None:
        result["stage"] = dict(stage)
    if operating.nodes is not None and predictions.taxonomy is not None:
        result["thresholds"]["nodes"] = _thresholds(predictions.taxonomy.nodes, operating.nodes)
    for split in ("val", "test"):
        if len(cohort.rows(split)):
            result[split] = _split_metrics(predictions, cohort, split, operating, taxonomy)
    return dict(plain(result))


def _split_metrics(
    predictions: Predictions, cohort: Cohort, split: str, operating: Operating, taxonomy: Taxonomy
) -> dict[str, Any]:
    scored = Scored.of(predictions, cohort, split, operating, taxonomy)
    measured = point_metrics(scored)
    counts = label_counts(cohort, split)
    per_label = {}
    for column, label in enumerate(cohort.label_space.labels):
        values = {name: array[column] for name, array in measured.per_label.items()}
        per_label[label] = {**counts[label], **values}
    return {
        "images": len(scored.truth),
        "patients": cohort.n_patients(split),
        "metrics": measured.overall,
        "defined": defined_labels(measured, taxonomy, scored.groups),
        "per_label": per_label,
        "levels": describe_levels(measured.per_label, InnerNodes.of(predictions, cohort, split, taxonomy), scored),
        "tree": tree_confusion(predictions, cohort, split, operating),
    }


def label_counts(cohort: Cohort, split: str) -> dict[str, dict[str, int]]:
    """For each label n_positive, the images of a split that carry it, and n_known where some are unknown."""
    images, positive, known = len(cohort.rows(split)), cohort.counts(split), cohort.known_counts(split)
    return {
        label: {"n_positive": positive[label]} | ({"n_known": known[label]} if known[label] < images else {})
        for label in cohort.label_space.labels
    }


def defined_labels(measured: Measured, taxonomy: Taxonomy, groups: Mapping[str, Group]) -> dict[str, dict[str, int]]:
    """For each macro metric, over how many labels it is averaged (n_defined) and how many are left out."""
    averaged = averaged_values(measured.per_label, taxonomy.label_space, groups)
    counts = {name: int(n_defined(values)) for name, values in averaged.items()}
    return {name: {"n_defined": n, "n_undefined": len(averaged[name]) - n} for name, n in counts.items()}


def tree_confusion(predictions: Predictions, cohort: Cohort, split: str, operating: Operating) -> dict[str, Any]:
    """Where a run finds and loses the true cases of each finding.

    Returns
    -------
    dict
        ``routing``: "hard" for a hierarchy, whose cases are lost at decisions; "none" for a flat model, which has
        the found share alone. ``findings``: see `lost_along_tree`. ``nodes``: see `node_confusion`, empty for flat.
    """
    rows = cohort.rows(split)
    truth = cohort.labels(rows)
    probs, given, known = aligned(predictions, cohort, split)
    tree = predictions.taxonomy
    if given is None or tree is None or operating.nodes is None:
        found = found_by_decisions(truth, operating.labels.decide(probs), cohort.label_space, known)
        return {"routing": "none", "findings": found, "nodes": {}}
    cut = operating.nodes.values
    return {
        "routing": "hard",
        "findings": lost_along_tree(truth, given, cut, tree, known),
        "nodes": node_confusion(truth, given, cut, tree, known),
    }


def _thresholds(names: Sequence[str], chosen: Thresholds) -> dict[str, Any]:
    rows = zip(names, chosen.values, chosen.fallback, strict=True)
    return {name: {"threshold": value, "fallback": fallback} for name, value, fallback in rows}


def plain(value: Any) -> Any:
    """`value` as strict JSON has it: numpy scalars and arrays become Python's, NaN and infinity become None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
