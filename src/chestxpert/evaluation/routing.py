"""Confusion along the tree: where hard routing loses the true cases of a finding.

Under hard routing a case must be let through at every decision above its finding, so it can be lost more than
once on the way. Here each lost case is booked at the first decision that turned it away. An image whose label is
unknown is no case, and stands in no count of that label.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.metrics import BoolArray
from chestxpert.labels import LabelSpace
from chestxpert.taxonomy import Taxonomy

FOUND = -1
"""In place of a decision: none turned the image away."""


def refused_at(on: BoolArray, taxonomy: Taxonomy) -> npt.NDArray[np.int16]:
    """For each image and finding, the first decision on the finding's path that turns the image away.

    Parameters
    ----------
    on : (N, M) bool array
        Whether each node, asked by itself, is decided to hold.
    taxonomy : Taxonomy

    Returns
    -------
    (N, F) int16 array, F findings in label order
        Position among ``taxonomy.decisions``; `FOUND` where hard routing comes to the finding.
    """
    names = [decision.name for decision in taxonomy.decisions]
    result = np.full((len(on), len(taxonomy.label_space.findings)), FOUND, dtype=np.int16)
    for column, finding in enumerate(taxonomy.label_space.findings):
        for node in (finding, *reversed(taxonomy.ancestors(finding))):
            # From the finding up to the root, so that the highest refusal is written last.
            result[~on[:, taxonomy.nodes.index(node)], column] = names.index(taxonomy.decision_of(node).name)
    return result


def path_decisions(finding: str, taxonomy: Taxonomy) -> list[str]:
    """Names of the decisions that a finding must pass, from the root down."""
    return [taxonomy.decision_of(node).name for node in (*taxonomy.ancestors(finding), finding)]


def lost_along_tree(
    truth: BoolArray,
    conditionals: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    taxonomy: Taxonomy,
    known: BoolArray | None = None,
) -> dict[str, dict[str, Any]]:
    """For each finding, how many of its true cases hard routing finds, and where it loses the others.

    Parameters
    ----------
    truth : (N, K) bool array in label order
    conditionals : (N, M) array
        Probability of each node given its parent.
    thresholds : (M,) array
        A node is on from its threshold upwards, if its parent is on.
    taxonomy : Taxonomy
    known : (N, K) bool array, optional
        Where the truth is known; everywhere by default.

    Returns
    -------
    dict
        ``{finding: {"n": cases, "found": cases, "lost": {decision: cases}}}``; found and lost add up to n.
    """
    on = np.asarray(conditionals) >= np.asarray(thresholds)
    truth = truth if known is None else truth & known
    refused, names = refused_at(on, taxonomy), [decision.name for decision in taxonomy.decisions]
    result: dict[str, dict[str, Any]] = {}
    for column, finding in enumerate(taxonomy.label_space.findings):
        cases = refused[truth[:, taxonomy.label_space.index(finding)], column]
        lost = {name: int((cases == names.index(name)).sum()) for name in path_decisions(finding, taxonomy)}
        result[finding] = {"n": len(cases), "found": int((cases == FOUND).sum()), "lost": lost}
    return result


def found_by_decisions(
    truth: BoolArray, decisions: BoolArray, label_space: LabelSpace, known: BoolArray | None = None
) -> dict[str, dict[str, Any]]:
    """`lost_along_tree` for decisions without a route: found or not, and no place where the others were lost.

    Parameters
    ----------
    truth, decisions : (N, K) bool arrays in label order
    label_space : LabelSpace
    known : (N, K) bool array, optional
        Where the truth is known; everywhere by default.
    """
    truth = truth if known is None else truth & known
    result: dict[str, dict[str, Any]] = {}
    for finding in label_space.findings:
        column = label_space.index(finding)
        found = int((truth[:, column] & decisions[:, column]).sum())
        result[finding] = {"n": int(truth[:, column].sum()), "found": found, "lost": {}}
    return result


def node_confusion(
    truth: BoolArray,
    conditionals: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    taxonomy: Taxonomy,
    known: BoolArray | None = None,
) -> dict[str, dict[str, Any]]:
    """For each node, its confusion counts when asked alone and when reached by routing.

    Parameters
    ----------
    truth, conditionals, thresholds, taxonomy, known
        As for `lost_along_tree`.

    Returns
    -------
    dict
        ``{node: {"decision": name, "given_parent": {tp, fp, fn, tn}, "routed": {tp, fp, fn, tn}}}``.
        ``given_parent`` counts the images where the parent truly holds: the decision by itself. ``routed`` counts
        all images and takes a node as on only if every node above it was decided to be on: what comes out. Both leave
        out the images where it is unknown whether the node holds.
    """
    own = np.asarray(conditionals) >= np.asarray(thresholds)
    targets, mask = taxonomy.targets(truth, known), taxonomy.mask(truth, known)
    told = taxonomy.known(truth, known)
    result: dict[str, dict[str, Any]] = {}
    for column, node in enumerate(taxonomy.nodes):
        path = [taxonomy.nodes.index(name) for name in (*taxonomy.ancestors(node), node)]
        asked, counted = mask[:, column], told[:, column]
        result[node] = {
            "decision": taxonomy.decision_of(node).name,
            "given_parent": _counts(targets[asked, column], own[asked, column]),
            "routed": _counts(targets[counted, column], np.asarray(own[counted][:, path].all(axis=1))),
        }
    return result


def _counts(held: BoolArray, decided: BoolArray) -> dict[str, int]:
    return {
        "tp": int((held & decided).sum()),
        "fp": int((~held & decided).sum()),
        "fn": int((held & ~decided).sum()),
        "tn": int((~held & ~decided).sum()),
    }
