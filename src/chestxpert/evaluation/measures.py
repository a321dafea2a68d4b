"""All metrics of a scored run by name, on the images as they are or in every bootstrap draw.

``macro_*`` averages over every label of the label space, No Finding included; ``macro_*_findings`` over the findings
alone, as published means over ChestX-ray14's 14 findings do, and ``macro_ap_head``, ``_medium`` and ``_tail`` over
those of one group by how often training shows them. ``hard_*`` belongs to hard routing, everything else to the
probabilities and their thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.frequency import GROUPS, Group
from chestxpert.evaluation import metrics
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.hierarchy import hierarchical_counts, hierarchical_scores
from chestxpert.evaluation.metrics import BoolArray, FloatArray, macro, ratio
from chestxpert.evaluation.ranked_label import RankedLabel
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.weighted_ranking import rank_labels, ranked_draws
from chestxpert.labels import LabelSpace

Values = dict[str, FloatArray]

MACROS = {
    "macro_auroc": "auroc",
    "macro_ap": "ap",
    "macro_precision": "precision",
    "macro_recall": "recall",
    "macro_f1": "f1",
    "macro_f1_at_half": "f1_at_half",
    "brier": "brier",
    "hard_macro_f1": "hard_f1",
}
"""Metrics that are means over all labels, and of what."""

MACROS_FINDINGS = {"macro_auroc_findings": "auroc", "macro_ap_findings": "ap", "macro_f1_findings": "f1"}
"""Metrics that are means over the findings alone."""

MACROS_GROUPS = {f"macro_ap_{group}": group for group in GROUPS}
"""Metrics that are means of average precision over the findings of one group, and of which."""

HARD = ("micro_f1", "exact_match", "hierarchical_f1")


@dataclass(frozen=True, eq=False)
class Measured:
    """Metrics by name; (...) is () for the images as they are and (D,) for draws.

    Parameters
    ----------
    per_label : dict of (..., K) float64 arrays
    overall : dict of (...) float64 arrays
    """

    per_label: Values
    overall: Values

    def split(self, draws: int) -> tuple[Measured, Measured]:
        """The first draws and the others, each with arrays of its own."""
        return self._part(slice(None, draws)), self._part(slice(draws, None))

    def _part(self, rows: slice) -> Measured:
        return Measured(
            *({name: array[rows].copy() for name, array in v.items()} for v in (self.per_label, self.overall))
        )


def point_metrics(scored: Scored) -> Measured:
    """Every metric on the images as they are."""
    ranking = {
        "auroc": metrics.auroc(scored.truth, scored.probs, scored.known),
        "ap": metrics.average_precision(scored.truth, scored.probs, scored.known),
        "brier": metrics.brier(scored.truth, scored.probs, scored.known),
    }
    return _assemble(scored, ranking, lambda decisions: _point_decisions(scored, decisions))


def drawn_metrics(scored: Scored, draws: PatientDraws, ranked: Sequence[RankedLabel] | None = None) -> Measured:
    """Every metric in each of D bootstrap draws over the patients of the scored images.

    `ranked` has the labels' images sorted, as `rank_labels` gives them, where that was done already.
    """
    if ranked is None:
        ranked = rank_labels(scored.truth, scored.probs, draws, scored.known)
    auroc, ap = ranked_draws(ranked, draws)
    errors, images = (scored.probs - scored.truth) ** 2, np.ones((len(scored.truth), 1), dtype=np.bool_)
    if scored.known is not None:
        errors, images = np.where(scored.known, errors, 0.0), scored.known
    ranking = {"auroc": auroc, "ap": ap, "brier": ratio(draws.totals(errors), draws.totals(images))}
    return _assemble(scored, ranking, lambda decisions: _drawn_decisions(scored, decisions, draws))


def _assemble(scored: Scored, ranking: Values, measure: Callable[[BoolArray], Values]) -> Measured:
    decided = measure(scored.decisions)
    per_label = {**ranking, **{name: decided.pop(name) for name in ("precision", "recall", "f1")}}
    per_label["f1_at_half"] = measure(scored.decisions_at_half)["f1"]
    overall = decided
    if scored.routed is not None:
        hard = measure(scored.routed)
        per_label["hard_f1"] = hard["f1"]
        overall |= {"hard_" + name: hard[name] for name in HARD}
    averaged = averaged_values(per_label, scored.taxonomy.label_space, scored.groups)
    return Measured(per_label, {**{name: macro(values) for name, values in averaged.items()}, **overall})


def averaged_values(per_label: Values, space: LabelSpace, groups: Mapping[str, Group]) -> Values:
    """For each macro metric the (..., L) values that it is the mean of; L is 0 for a group without findings.

    Parameters
    ----------
    per_label : dict of (..., K) float64 arrays
    space : LabelSpace
    groups : mapping of str to {"head", "medium", "tail"}
    """
    findings = [space.index(name) for name in space.findings]
    values = {name: per_label[source] for name, source in MACROS.items() if source in per_label}
    values |= {name: per_label[source][..., findings] for name, source in MACROS_FINDINGS.items()}
    for name, group in MACROS_GROUPS.items():
        values[name] = per_label["ap"][
            ..., [column for column in findings if groups.get(space.labels[column]) == group]
        ]
    return values


def _point_decisions(scored: Scored, decisions: BoolArray) -> Values:
    truth, known = scored.truth, scored.known
    counts = hierarchical_counts(truth, decisions, scored.taxonomy, known).sum(axis=0)
    return {
        "precision": metrics.precision(truth, decisions, known),
        "recall": metrics.recall(truth, decisions, known),
        "f1": metrics.f1(truth, decisions, known),
        "micro_f1": np.asarray(metrics.micro_f1(truth, decisions, known)),
        "exact_match": np.asarray(metrics.exact_match(truth, decisions, known)),
        **_hierarchical(counts),
    }


def _drawn_decisions(scored: Scored, decisions: BoolArray, draws: PatientDraws) -> Values:
    """As `_point_decisions`, from weighted counts: all of these metrics are ratios of sums over images."""
    along_tree = draws.totals(hierarchical_counts(scored.truth, decisions, scored.taxonomy, scored.known))
    truth, told = scored.truth, np.ones((len(decisions), 1), dtype=np.bool_)
    if scored.known is not None:
        truth, decisions, told = truth & scored.known, decisions & scored.known, scored.known
    hits, decided, held = (draws.totals(images) for images in (truth & decisions, decisions, truth))
    counted = told.any(axis=1)
    images = draws.totals(np.column_stack([(truth == decisions).all(axis=1) & counted, counted]))
    return {
        "precision": np.where(held > 0, ratio(hits, decided), np.nan),
        "recall": ratio(hits, held),
        "f1": np.where(held > 0, ratio(2 * hits, decided + held), np.nan),
        "micro_f1": ratio(2 * hits.sum(axis=1), (decided + held).sum(axis=1)),
        "exact_match": ratio(images[:, 0], images[:, 1]),
        **_hierarchical(along_tree),
    }


def _hierarchical(counts: npt.ArrayLike) -> Values:
    names = ("hierarchical_precision", "hierarchical_recall", "hierarchical_f1")
    return dict(zip(names, hierarchical_scores(counts), strict=True))
