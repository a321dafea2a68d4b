"""What a scored run is measured by beyond `chestxpert.evaluation.measures`: decisions, ends of curves, calibration.

Three parts by what a bootstrap of them costs: decisions are ratios of sums and cheap, so every run has them in every
draw; parts of the ROC curve need the ranking again, and calibration needs bins and fits, so those are drawn for the few
recipes that an answer rests on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.measures import Measured, Values
from chestxpert.evaluation.metrics import ratio
from chestxpert.evaluation.ranked_label import RankedLabel
from chestxpert.evaluation.rates import Counts, image_ranking_losses, ranking_loss
from chestxpert.evaluation.reliability import cox, drawn_cox, ece, ece_if_perfect, reliability
from chestxpert.evaluation.roc import drawn_roc, ranked_roc_ends, roc_ends
from chestxpert.evaluation.scored import Scored

DECISIONS = ("sensitivity", "specificity", "mcc")
SPECIFICITIES = {"sensitivity_at_90": 0.90, "sensitivity_at_95": 0.95}
CURVES = (*SPECIFICITIES, "partial_auroc")
FITTED = ("slope", "intercept", "in_the_large")
CALIBRATION = ("ece", "ece_if_perfect", *FITTED)

BIASED_IN_DRAWS = ("ap", "ece")
"""Per-label metrics that rise when rows are drawn twice; a mean of them over labels has the basic interval."""


def further_metrics(scored: Scored, ranked: Sequence[RankedLabel] | None = None) -> Measured:
    """All of `DECISIONS`, `CURVES` and `CALIBRATION` of each label, and the ranking loss, on the images as they are.

    `ranked` has the labels' images sorted, as `rank_labels` gives them, where that was done already.
    """
    truth, probs, known = scored.truth, scored.probs, scored.known
    counts, fitted = Counts.of(truth, scored.decisions, known), cox(truth, probs, known)
    per_label = {name: getattr(counts, name)() for name in DECISIONS}
    at = tuple(SPECIFICITIES.values())
    ends = roc_ends(truth, probs, at, known=known) if ranked is None else ranked_roc_ends(ranked, at)
    sensitivities, areas = ends
    per_label |= dict(zip(SPECIFICITIES, sensitivities, strict=True))
    per_label |= {"partial_auroc": areas, "ece": ece(truth, probs, known)}
    per_label |= {"ece_if_perfect": ece_if_perfect(probs, known)}
    per_label |= {name: getattr(fitted, name) for name in FITTED}
    return Measured(per_label, {"ranking_loss": np.asarray(ranking_loss(truth, probs, known))})


def drawn_decisions(scored: Scored, draws: PatientDraws) -> Measured:
    """`DECISIONS` and the ranking loss in every draw."""
    counts = Counts.of(scored.truth, scored.decisions, scored.known, draws)
    losses = image_ranking_losses(scored.truth, scored.probs, scored.known)
    sums = draws.totals(np.column_stack([np.nan_to_num(losses), ~np.isnan(losses)]))
    per_label = {name: getattr(counts, name)() for name in DECISIONS}
    return Measured(per_label, {"ranking_loss": ratio(sums[:, 0], sums[:, 1])})


def drawn_curves(scored: Scored, draws: PatientDraws) -> Values:
    """`CURVES` and `CALIBRATION` in every draw, but for what is no estimate: (D, K) arrays."""
    truth, probs, known = scored.truth, scored.probs, scored.known
    sensitivities, areas = drawn_roc(truth, probs, draws, tuple(SPECIFICITIES.values()), known=known)
    fitted = drawn_cox(truth, probs, cox(truth, probs, known), draws, known)
    errors = [entry["drawn_error"] for entry in reliability(truth, probs, known, draws)]
    values = dict(zip(SPECIFICITIES, sensitivities, strict=True))
    values |= {"partial_auroc": areas, "ece": np.stack(errors, axis=-1)}
    return values | {name: getattr(fitted, name) for name in FITTED}
