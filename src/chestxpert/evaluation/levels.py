"""Metrics by depth in the tree: is there a finding at all, of which kind, and which one.

A level is the nodes of one depth: level 1 the root's child (any finding or none), level 2 its children, and so on.
Findings are measured as labels; the inner nodes of the tree are measured here, by the probability that any finding
below them is there. Every recipe is measured on the same tree, whatever it was trained along.

Where a recipe states that probability itself, its word is taken. A flat model states 1 - P(No Finding) for all
findings together; for a part of them, 'minority' for example, the probability is 1 minus the product of 1 - p over
the part (noisy or), exact where the outputs are independent given the image, which is what a network of sigmoids
assumes. A hierarchy states the probability of each of its own nodes; for any other set of findings the same rule goes
up its own tree, whose children are independent given their parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation import metrics
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.hierarchy import hierarchical_level_counts, hierarchical_scores
from chestxpert.evaluation.measures import Values
from chestxpert.evaluation.metrics import BoolArray, FloatArray, macro, n_defined, ratio
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.scored import Scored, known_or_none
from chestxpert.evaluation.threshold_rules import F1, ThresholdRule
from chestxpert.evaluation.thresholds import Thresholds, chosen_thresholds
from chestxpert.evaluation.weighted_ranking import drawn_ranking
from chestxpert.taxonomy import Taxonomy

METRICS = ("auroc", "ap", "f1")

HIERARCHICAL = ("precision", "recall", "f1")
"""Hierarchical scores of a level, as `hierarchical_scores` gives them."""


def any_of(findings: set[str], probs: FloatArray, given: FloatArray | None, predictions: Predictions) -> FloatArray:
    """(n,) probability that any of `findings` is there.

    Parameters
    ----------
    findings : set of str
    probs, given : (n, K) and (n, M) arrays
        Rows of the predictions, as `Predictions.align` gives them.
    predictions : Predictions
        Whose label space and tree they are over.
    """
    space, tree = predictions.label_space, predictions.taxonomy
    if findings == set(space.findings) and space.no_finding is not None:
        return np.asarray(1.0 - probs[:, space.index(space.no_finding)])
    if given is None or tree is None:
        # In label order: a set has another order in every process, and a sum of floats another last digit.
        ordered = [finding for finding in space.findings if finding in findings]
        return _noisy_or([probs[:, space.index(finding)] for finding in ordered], len(probs))
    below = {decision.parent: decision.children for decision in tree.decisions}

    def within(node: str) -> FloatArray | float:
        """Probability that one of them is there, given that `node` holds."""
        here = set(tree.findings_below(node))
        return 1.0 if here <= findings else 0.0 if not here & findings else children(node)

    def children(node: str | None) -> FloatArray:
        return _noisy_or([given[:, tree.nodes.index(child)] * within(child) for child in below[node]], len(probs))

    return children(None)


def _noisy_or(parts: list[FloatArray], rows: int) -> FloatArray:
    """1 - (1 - p) (1 - p') ..., in logarithms so that small probabilities keep their order."""
    total = np.zeros(rows)
    with np.errstate(divide="ignore"):
        for part in parts:
            total += np.log1p(-part)
    return -np.expm1(total)


@dataclass(frozen=True, eq=False)
class MeasuredNodes:
    """What stays of `InnerNodes` once they are measured.

    Parameters
    ----------
    names : tuple of str
    values : dict of (I,) float64 arrays
        As `InnerNodes.measured` gives them.
    counts : dict
        As `InnerNodes.counts` does.
    """

    names: tuple[str, ...]
    values: Values
    counts: dict[str, dict[str, int]]


@dataclass(frozen=True, eq=False)
class InnerNodes:
    """The I inner nodes of the tree that is measured on, for one run on one split.

    Parameters
    ----------
    taxonomy : Taxonomy
    names : tuple of str
    truth, decisions : (N, I) bool arrays
        `decisions` at thresholds chosen on validation.
    probs : (N, I) float64 array
    known : (N, I) bool array or None
        Where it is known whether the node holds; None where all of it is.
    thresholds : Thresholds
    """

    taxonomy: Taxonomy
    names: tuple[str, ...]
    truth: BoolArray
    probs: FloatArray
    decisions: BoolArray
    known: BoolArray | None
    thresholds: Thresholds

    @classmethod
    def of(
        cls, predictions: Predictions, cohort: Cohort, split: str, taxonomy: Taxonomy, rule: ThresholdRule = F1
    ) -> InnerNodes:
        """Truth and probability of each inner node on the images of one split."""
        names = tuple(node for node in taxonomy.nodes if node not in taxonomy.leaves)
        held, scores, told = _arrays(predictions, cohort, "val", taxonomy, names)
        chosen = chosen_thresholds(held, scores, told, rule.threshold)
        truth, probs, known = _arrays(predictions, cohort, split, taxonomy, names)
        return cls(taxonomy, names, truth, probs, chosen.decide(probs), known, chosen)

    def measured(self) -> Values:
        """Each of `METRICS`, an (I,) array."""
        return {
            "auroc": metrics.auroc(self.truth, self.probs, self.known),
            "ap": metrics.average_precision(self.truth, self.probs, self.known),
            "f1": metrics.f1(self.truth, self.decisions, self.known),
        }

    def summary(self) -> MeasuredNodes:
        """Names, metrics and counts."""
        return MeasuredNodes(self.names, self.measured(), self.counts())

    def drawn(self, draws: PatientDraws) -> Values:
        """Each of `METRICS` in every bootstrap draw, a (D, I) array."""
        if not self.names:
            return {name: np.empty((len(draws), 0)) for name in METRICS}
        auroc, ap = drawn_ranking(self.truth, self.probs, draws, known=self.known)
        told = np.ones_like(self.truth) if self.known is None else self.known
        truth, decided = self.truth & told, self.decisions & told
        hits, called, held = (draws.totals(part) for part in (truth & decided, decided, truth))
        return {"auroc": auroc, "ap": ap, "f1": np.where(held > 0, ratio(2 * hits, called + held), np.nan)}

    def counts(self) -> dict[str, dict[str, int]]:
        """Of each node its level, n_positive, and n_known where that is less than all images."""
        truth = self.truth if self.known is None else self.truth & self.known
        told = np.full(len(self.names), len(truth)) if self.known is None else self.known.sum(axis=0)
        return {
            node: {
                "level": self.taxonomy.levels[self.taxonomy.nodes.index(node)],
                "n_positive": int(truth[:, column].sum()),
            }
            | ({"n_known": int(told[column])} if told[column] < len(truth) else {})
            for column, node in enumerate(self.names)
        }


def _arrays(
    predictions: Predictions, cohort: Cohort, split: str, taxonomy: Taxonomy, names: tuple[str, ...]
) -> tuple[BoolArray, FloatArray, BoolArray | None]:
    """Truth, probability and knowledge of the nodes `names` on one split, each (n, I)."""
    rows = cohort.rows(split)
    labels, known = cohort.labels(rows), known_or_none(cohort, rows)
    probs, given = predictions.align(cohort, split)
    columns = [taxonomy.nodes.index(node) for node in names]
    each = [any_of(set(taxonomy.findings_below(node)), probs, given, predictions) for node in names]
    told = None if known is None else taxonomy.known(labels, known)[:, columns]
    scores = np.column_stack(each) if each else np.empty((len(rows), 0))
    there = ~np.isnan(scores)
    if not there.all():  # a node of which a finding was not predicted says nothing
        told, scores = there if told is None else told & there, np.where(there, scores, 0.0)
    return taxonomy.targets(labels, known)[:, columns], scores, told


def level_values(per_label: Mapping[str, FloatArray], inner: Mapping[str, FloatArray], tree: Taxonomy) -> list[Values]:
    """Metrics of the nodes of each level, those of level 1 first.

    Parameters
    ----------
    per_label : mapping of metric to (..., K) array
    inner : mapping of metric to (..., I) array
        Of the tree's inner nodes, in node order.

    Returns
    -------
    list of dict
        Each of `METRICS`, a (..., n) array over the n nodes of the level; their `macro` is the level's mean.
    """
    return [
        {name: _of_level(per_label[name], inner[name], tree, level) for name in METRICS}
        for level in range(1, max(tree.levels) + 1)
    ]


def _of_level(per_label: FloatArray, inner: FloatArray, tree: Taxonomy, level: int) -> FloatArray:
    names = [node for node in tree.nodes if node not in tree.leaves]
    columns = [
        inner[..., names.index(node)] if node in names else per_label[..., tree.label_space.index(node)]
        for node in level_nodes(tree, level)
    ]
    return np.stack(columns, axis=-1)


def drawn_level_counts(scored: Scored, draws: PatientDraws) -> FloatArray:
    """(D, L, 3) sums over images of `hierarchical_level_counts`, for the decisions at the labels' thresholds."""
    counts = hierarchical_level_counts(scored.truth, scored.decisions, scored.taxonomy, scored.known)
    return draws.totals(counts.reshape(len(counts), -1)).reshape(len(draws), *counts.shape[1:])


def describe_levels(per_label: Mapping[str, FloatArray], inner: InnerNodes, scored: Scored) -> dict[str, Any]:
    """What evaluation.json says of one split under ``levels``.

    Returns
    -------
    dict
        ``means``: by level, its ``nodes``, each of `METRICS` averaged over them, ``n_nodes``, and over how many of them
        AUROC is defined. ``hierarchical``: by level, `HIERARCHICAL`. ``inner``: by inner node, its counts, metrics and
        threshold. Findings stand under ``per_label``.
    """
    measured, counts = inner.measured(), inner.counts()
    sums = hierarchical_level_counts(scored.truth, scored.decisions, scored.taxonomy, scored.known).sum(axis=0)
    return {
        "hierarchical": {
            str(level): dict(zip(HIERARCHICAL, map(float, hierarchical_scores(own)), strict=True))
            for level, own in enumerate(sums, start=1)
        },
        "means": {
            str(level): {"nodes": level_nodes(inner.taxonomy, level)}
            | {name: macro(values[name]) for name in METRICS}
            | size_of(values)
            for level, values in enumerate(level_values(per_label, measured, inner.taxonomy), start=1)
        },
        "inner": {
            node: counts[node]
            | {name: measured[name][column] for name in METRICS}
            | {
                "threshold": inner.thresholds.values[column],
                "threshold_fallback": inner.thresholds.fallback[column],
            }
            for column, node in enumerate(inner.names)
        },
    }


def level_nodes(taxonomy: Taxonomy, level: int) -> list[str]:
    """Nodes of one level, in node order: that of the arrays of `level_values`."""
    return [node for node, depth in zip(taxonomy.nodes, taxonomy.levels, strict=True) if depth == level]


def size_of(values: Values) -> dict[str, int]:
    """How many nodes a level has, and how many of them have an AUROC."""
    return {"n_nodes": values["auroc"].shape[-1], "n_defined": int(n_defined(values["auroc"]))}
