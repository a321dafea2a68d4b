"""All metrics of a scored run by name, on the images as they are or in every bootstrap draw.

``macro_*`` averages over every label of the label space, No Finding included; ``macro_*_findings`` over the findings
alone, as published means over ChestX-ray14's 14 findings do. ``hard_*`` belongs to hard routing, everything else to
the probabilities and their thresholds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation import metrics
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.hierarchy import hierarchical_counts, hierarchical_scores
from chestxpert.evaluation.metrics import BoolArray, FloatArray, macro, ratio
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.weighted_ranking import drawn_ranking

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

MACROS_FINDINGS = {"macro_auroc_findings": "auroc", "macro_ap_findings": "ap"}
"""Metrics that are means over the findings alone."""

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


def point_metrics(scored: Scored) -> Measured:
    """Every metric on the images as they are."""
    ranking = {
        "auroc": metrics.auroc(scored.truth, scored.probs),
        "ap": metrics.average_precision(scored.truth, scored.probs),
        "brier": metrics.brier(scored.truth, scored.probs),
    }
    return _assemble(scored, ranking, lambda decisions: _point_decisions(scored, decisions))


def drawn_metrics(scored: Scored, draws: PatientDraws) -> Measured:
    """Every metric in each of D bootstrap draws over the patients of the scored images."""
    auroc, ap = drawn_ranking(scored.truth, scored.probs, draws)
    images = draws.totals(np.ones((len(scored.truth), 1)))
    ranking = {"auroc": auroc, "ap": ap, "brier": ratio(draws.totals((scored.probs - scored.truth) ** 2), images)}
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
    space = scored.taxonomy.label_space
    findings = [space.index(name) for name in space.findings]
    macros = {name: macro(per_label[source]) for name, source in MACROS.items() if source in per_label}
    macros |= {name: macro(per_label[source][..., findings]) for name, source in MACROS_FINDINGS.items()}
    return Measured(per_label, {**macros, **overall})


def _point_decisions(scored: Scored, decisions: BoolArray) -> Values:
    counts = hierarchical_counts(scored.truth, decisions, scored.taxonomy).sum(axis=0)
    return {
        "precision": metrics.precision(scored.truth, decisions),
        "recall": metrics.recall(scored.truth, decisions),
        "f1": metrics.f1(scored.truth, decisions),
        "micro_f1": np.asarray(metrics.micro_f1(scored.truth, decisions)),
        "exact_match": np.asarray(metrics.exact_match(scored.truth, decisions)),
        **_hierarchical(counts),
    }


def _drawn_decisions(scored: Scored, decisions: BoolArray, draws: PatientDraws) -> Values:
    """As `_point_decisions`, from weighted counts: all of these metrics are ratios of sums over images."""
    hits, decided, held = (draws.totals(images) for images in (scored.truth & decisions, decisions, scored.truth))
    exact = (scored.truth == decisions).all(axis=1)
    images = draws.totals(np.column_stack([exact, np.ones(len(exact))]))
    return {
        "precision": np.where(held > 0, ratio(hits, decided), np.nan),
        "recall": ratio(hits, held),
        "f1": np.where(held > 0, ratio(2 * hits, decided + held), np.nan),
        "micro_f1": ratio(2 * hits.sum(axis=1), (decided + held).sum(axis=1)),
        "exact_match": ratio(images[:, 0], images[:, 1]),
        **_hierarchical(draws.totals(hierarchical_counts(scored.truth, decisions, scored.taxonomy))),
    }


def _hierarchical(counts: npt.ArrayLike) -> Values:
    names = ("hierarchical_precision", "hierarchical_recall", "hierarchical_f1")
    return dict(zip(names, hierarchical_scores(counts), strict=True))
