"""One run on one split: probabilities, decisions and truth side by side.

Thresholds are chosen on validation rows (`Operating.choose` reads no others) and then applied to any split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.frequency import Group, training_groups
from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.metrics import BoolArray, FloatArray
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.threshold_rules import F1, ThresholdRule
from chestxpert.evaluation.thresholds import FALLBACK, Thresholds, chosen_thresholds, node_thresholds
from chestxpert.taxonomy import Taxonomy


def known_or_none(cohort: Cohort, rows: npt.NDArray[np.int64]) -> BoolArray | None:
    """(n, K) bool array of which labels of `rows` are known; None where all are, so that nothing need be masked."""
    known = cohort.known(rows)
    return None if known.all() else known


def aligned(
    predictions: Predictions, cohort: Cohort, split: str
) -> tuple[FloatArray, FloatArray | None, BoolArray | None]:
    """Probabilities and conditionals of one split, and which labels can be measured on which images.

    Parameters
    ----------
    predictions : Predictions
    cohort : Cohort
    split : {"train", "val", "test"}

    Returns
    -------
    probs : (n, K) float64 array
        0 where `predictions` are partial and lack an image or a label.
    conditionals : (n, M) float64 array, or None for a flat model
    known : (n, K) bool array, or None where everything can be measured
        Where the truth is known and predicted: what nobody predicted is no more measured than what nobody knows.
    """
    probs, given = predictions.align(cohort, split)
    known = known_or_none(cohort, cohort.rows(split))
    there = ~np.isnan(probs)
    if there.all():
        return probs, given, known
    return np.where(there, probs, 0.0), given, there if known is None else known & there


@dataclass(frozen=True, eq=False)
class Operating:
    """Where a run turns probabilities into decisions; chosen on validation, applied everywhere.

    Parameters
    ----------
    labels : Thresholds
        K thresholds of the labels' probabilities.
    nodes : Thresholds or None
        M thresholds of the conditional probabilities, for hard routing through a hierarchy.
    """

    labels: Thresholds
    nodes: Thresholds | None

    @classmethod
    def choose(cls, predictions: Predictions, cohort: Cohort, rule: ThresholdRule = F1) -> Operating:
        """Thresholds by a rule from the validation rows; PredictionsError if there are none.

        Another tool's predictions may have none: its thresholds are the fallback then, one half, all of them.
        """
        rows = cohort.rows("val")
        if predictions.partial and not predictions.has("val"):
            return cls(_fallback(len(cohort.label_space)), None)
        if not len(rows):
            raise PredictionsError(
                "The cohort has no validation images, so no threshold can be chosen. Prepare it with some."
            )
        truth = cohort.labels(rows)
        probs, given, known = aligned(predictions, cohort, "val")
        tree = predictions.taxonomy
        nodes = None if given is None or tree is None else node_thresholds(truth, given, tree, known, rule.threshold)
        return cls(chosen_thresholds(truth, probs, known, rule.threshold), nodes)


def _fallback(count: int) -> Thresholds:
    return Thresholds(np.full(count, FALLBACK), np.ones(count, dtype=np.bool_))


@dataclass(frozen=True, eq=False)
class Scored:
    """A run's output on N images beside the truth, K labels in label order.

    Parameters
    ----------
    taxonomy : Taxonomy
        The tree that hierarchical metrics are measured on, the same for all recipes of a study.
    truth, decisions, decisions_at_half : (N, K) bool arrays
        `decisions` at the validation thresholds, the last at 0.5.
    probs : (N, K) float64 array
    routed : (N, K) bool array or None
        Decisions of hard routing, for a hierarchy.
    known : (N, K) bool array or None
        Where the truth is known, and predicted; None where all of it is.
    groups : mapping of str to {"head", "medium", "tail"}
        Findings by how often training shows them; those without a group are of none.
    """

    taxonomy: Taxonomy
    truth: BoolArray
    probs: FloatArray
    decisions: BoolArray
    decisions_at_half: BoolArray
    routed: BoolArray | None
    known: BoolArray | None = None
    groups: Mapping[str, Group] = field(default_factory=dict)

    @classmethod
    def of(
        cls, predictions: Predictions, cohort: Cohort, split: str, operating: Operating, taxonomy: Taxonomy
    ) -> Scored:
        """Score the images of one split of the cohort."""
        rows = cohort.rows(split)
        probs, given, known = aligned(predictions, cohort, split)
        routed = None
        if given is not None and predictions.taxonomy is not None and operating.nodes is not None:
            routed = predictions.taxonomy.route(given, operating.nodes.values)
        return cls(
            taxonomy=taxonomy,
            truth=cohort.labels(rows),
            probs=probs,
            decisions=operating.labels.decide(probs),
            decisions_at_half=np.asarray(probs >= 0.5),
            routed=routed,
            known=known,
            groups=training_groups(cohort),
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Of each label n_positive, and n_known where it is not measured on every image."""
        held = self.truth if self.known is None else self.truth & self.known
        told = np.full(self.truth.shape[1], len(self.truth)) if self.known is None else self.known.sum(axis=0)
        return {
            label: {"n_positive": int(held[:, column].sum())}
            | ({"n_known": int(told[column])} if told[column] < len(self.truth) else {})
            for column, label in enumerate(self.taxonomy.label_space.labels)
        }


@dataclass(frozen=True, eq=False)
class Decided:
    """A run's predictions, and where they become decisions: what it takes to score it again.

    Parameters
    ----------
    predictions : Predictions
    operating : Operating
    """

    predictions: Predictions
    operating: Operating

    def scored(self, cohort: Cohort, taxonomy: Taxonomy) -> Scored:
        """The run on the test images."""
        return Scored.of(self.predictions, cohort, "test", self.operating, taxonomy)
