"""Who a recipe works for: metrics of each subgroup of the test images, and gaps between subgroups.

A label is measured in a subgroup only where at least `FEWEST_PATIENTS` of its patients have the finding and as many
do not: patients and not images, since intervals are over patients. Elsewhere nothing is claimed, which is NaN.
Thresholds are those of all images, since nobody is given a threshold of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation import metrics
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.estimates import Estimate, estimate, mean_over_labels
from chestxpert.evaluation.further import BIASED_IN_DRAWS
from chestxpert.evaluation.measures import Values
from chestxpert.evaluation.metrics import BoolArray, FloatArray, ratio
from chestxpert.evaluation.partitions import Partition
from chestxpert.evaluation.rates import Counts
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.weighted_ranking import drawn_ranking

FEWEST_PATIENTS = 10
METRICS = ("auroc", "ap", "f1", "sensitivity", "specificity")
GAPS = ("sensitivity", "specificity", "auroc")
"""Metrics that are compared between subgroups. Average precision and F1 follow the prevalence, which differs."""


@dataclass(frozen=True, eq=False)
class Part:
    """One subgroup: its images, which labels can be measured there, and the metrics of each seed.

    Parameters
    ----------
    images, patients : int
    positives, known : (K,) int64 arrays
        Images that carry each label, of those whose label is known.
    enough : (K,) bool array
    points, draws : tuple of mappings, one a seed, of metric to (K,) and (D, K) arrays
        NaN where there is not enough.
    """

    images: int
    patients: int
    positives: npt.NDArray[np.int64]
    known: npt.NDArray[np.int64]
    enough: BoolArray
    points: tuple[Values, ...]
    draws: tuple[Values, ...]

    @classmethod
    def of(cls, seeds: Sequence[Scored], rows: npt.NDArray[np.int64], draws: PatientDraws) -> Part:
        """Measure the images `rows` of one recipe's seeds, drawn as all images are."""
        first = _part_of(seeds[0], rows)
        mine = PatientDraws(draws.patient_of_image[rows], draws.counts)
        told = np.ones_like(first.truth) if first.known is None else first.known
        enough = enough_patients(first.truth, told, mine.patient_of_image)
        parts = [_part_of(seed, rows) for seed in seeds]
        return cls(
            len(rows),
            len(np.unique(mine.patient_of_image)),
            (first.truth & told).sum(axis=0),
            told.sum(axis=0),
            enough,
            tuple(_where(enough, _points(part)) for part in parts),
            tuple(_where(enough, _drawn(part, mine, enough)) for part in parts),
        )

    def each(self, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Counts and metrics of each label."""
        return {
            label: {
                "n_positive": self.positives[column],
                "prevalence": ratio(self.positives[column], self.known[column]),
                "enough": self.enough[column],
            }
            | ({"n_known": self.known[column]} if self.known[column] < self.images else {})
            | {
                name: estimate([seed[name][column] for seed in self.points], [s[name][:, column] for s in self.draws])
                for name in METRICS
            }
            for column, label in enumerate(labels)
        }

    def means(self, columns: npt.NDArray[np.int64]) -> dict[str, Estimate]:
        """Means over some labels."""
        return {
            name: mean_over_labels(
                [seed[name] for seed in self.points], [seed[name] for seed in self.draws], columns,
                reflected=name in BIASED_IN_DRAWS,
            )
            for name in METRICS
        }  # fmt: skip


def enough_patients(
    truth: BoolArray, known: BoolArray, patients: npt.NDArray[np.int64], fewest: int = FEWEST_PATIENTS
) -> BoolArray:
    """(K,) whether each label is present in images of `fewest` patients and absent in images of as many."""

    def patients_with(images: BoolArray) -> int:
        return len(np.unique(patients[images]))

    return np.array(
        [
            min(patients_with(truth[:, k] & known[:, k]), patients_with(~truth[:, k] & known[:, k])) >= fewest
            for k in range(truth.shape[1])
        ],
        dtype=np.bool_,
    )


def describe_subgroups(
    seeds: Sequence[Scored], parts: Sequence[Partition], draws: PatientDraws, measured: Sequence[str]
) -> dict[str, Any]:
    """Every partition of one recipe's test images.

    Parameters
    ----------
    seeds : sequence of Scored
        The recipe's runs on the same N images.
    parts : sequence of Partition
        Of these images.
    draws : PatientDraws
        Over them.
    measured : sequence of str
        The labels that means are over.

    Returns
    -------
    dict
        By partition: ``unknown``, images in no subgroup; ``groups``; ``findings`` that are measured in every group that
        measures any, over which the groups' means are; and ``gaps`` of each group to ``reference``, the one with most
        images: group minus reference, on the same draws, means over the ``findings`` that both measure.
    """
    space = seeds[0].taxonomy.label_space
    findings = [space.index(name) for name in measured]
    return {part.name: _describe(seeds, part, draws, space.labels, findings) for part in parts}


def _describe(
    seeds: Sequence[Scored], partition: Partition, draws: PatientDraws, labels: Sequence[str], findings: Sequence[int]
) -> dict[str, Any]:
    groups = {group: Part.of(seeds, partition.rows(group), draws) for group in partition.groups}
    large = [part for part in groups.values() if part.enough[list(findings)].any()]
    shared = _enough_in(large, findings)
    reference = max(groups, key=lambda group: groups[group].images, default=None)
    return {
        "unknown": partition.unknown,
        "findings": [labels[column] for column in shared],
        "groups": {
            group: {
                "images": part.images,
                "patients": part.patients,
                "macro": part.means(shared),
                "per_label": part.each(labels),
            }
            for group, part in groups.items()
        },
        "reference": reference,
        "gaps": {
            group: _gap(part, groups[reference], _enough_in([part, groups[reference]], findings), labels)
            for group, part in groups.items()
            if reference is not None and group != reference
        },
    }


def _enough_in(parts: Sequence[Part], findings: Sequence[int]) -> npt.NDArray[np.int64]:
    """The findings that all of some groups measure; none where there is no group."""
    chosen = [column for column in findings if parts and all(part.enough[column] for part in parts)]
    return np.array(chosen, dtype=np.int64)


def _gap(part: Part, reference: Part, shared: npt.NDArray[np.int64], labels: Sequence[str]) -> dict[str, Any]:
    """Differences of `GAPS`, of each label and of the mean over the shared findings."""
    points = [_minus(mine, other) for mine, other in zip(part.points, reference.points, strict=True)]
    draws = [_minus(mine, other) for mine, other in zip(part.draws, reference.draws, strict=True)]
    return {
        "findings": [labels[column] for column in shared],
        "macro": {
            name: mean_over_labels([seed[name] for seed in points], [seed[name] for seed in draws], shared)
            for name in GAPS
        },
        "per_label": {
            label: {
                name: estimate([seed[name][column] for seed in points], [seed[name][:, column] for seed in draws])
                for name in GAPS
            }
            for column, label in enumerate(labels)
        },
    }


def _minus(mine: Mapping[str, FloatArray], other: Mapping[str, FloatArray]) -> Values:
    return {name: mine[name] - other[name] for name in GAPS}


def _part_of(scored: Scored, rows: npt.NDArray[np.int64]) -> Scored:
    return Scored(
        taxonomy=scored.taxonomy,
        truth=scored.truth[rows],
        probs=scored.probs[rows],
        decisions=scored.decisions[rows],
        decisions_at_half=scored.decisions_at_half[rows],
        routed=None if scored.routed is None else scored.routed[rows],
        known=None if scored.known is None else scored.known[rows],
    )


def _where(enough: BoolArray, values: Values) -> Values:
    return {name: np.where(enough, array, np.nan) for name, array in values.items()}


def _points(part: Scored) -> Values:
    counts = Counts.of(part.truth, part.decisions, part.known)
    return {
        "auroc": metrics.auroc(part.truth, part.probs, part.known),
        "ap": metrics.average_precision(part.truth, part.probs, part.known),
    } | _of_counts(counts)


def _drawn(part: Scored, draws: PatientDraws, enough: BoolArray) -> Values:
    """The same in every draw; labels without enough are not ranked."""
    counts = Counts.of(part.truth, part.decisions, part.known, draws)
    ranked = np.full((2, len(draws), len(enough)), np.nan)
    known = None if part.known is None else part.known[:, enough]
    ranked[..., enough] = drawn_ranking(part.truth[:, enough], part.probs[:, enough], draws, known=known)
    return {"auroc": ranked[0], "ap": ranked[1]} | _of_counts(counts)


def _of_counts(counts: Counts) -> Values:
    return {
        "f1": np.where(counts.positives > 0, ratio(2 * counts.hits, counts.decided + counts.positives), np.nan),
        "sensitivity": counts.sensitivity(),
        "specificity": counts.specificity(),
    }
