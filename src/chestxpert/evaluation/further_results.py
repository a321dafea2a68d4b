"""What comparison.json says beyond the comparison itself, each part under a top-level key of its own.

Every recipe has point values of everything and intervals of what is cheap to draw. What is dear to draw (parts of the
ROC curve, calibration, decision curves, subgroups) has intervals for the recipes an answer rests on: the baseline, and
the best of each side as validation chose them. ``detailed`` names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.agreement import SharedImages, describe_agreement, measure_against_both
from chestxpert.evaluation.bootstrap import FEWER, PatientDraws, interval
from chestxpert.evaluation.coverage import Coverage
from chestxpert.evaluation.decision_curve import THRESHOLDS, net_benefit, treat_all
from chestxpert.evaluation.estimates import claimed, estimate, mean_over_labels, seed_mean
from chestxpert.evaluation.external_lines import Ground, Line
from chestxpert.evaluation.floor import shortcut_floor
from chestxpert.evaluation.floor_lead import lead_by_label
from chestxpert.evaluation.further import BIASED_IN_DRAWS, CALIBRATION, CURVES, DECISIONS, FITTED, drawn_curves
from chestxpert.evaluation.groups import describe_groups
from chestxpert.evaluation.measures import Values
from chestxpert.evaluation.metrics import BoolArray, FloatArray, macro, ratio
from chestxpert.evaluation.partitions import DEFAULT, partitions
from chestxpert.evaluation.recipe_results import (
    RunMeasures,
    RunResult,
    describe_recipe,
    label_estimate,
    recipe_values,
)
from chestxpert.evaluation.reliability import BINS, reliability, share_interval
from chestxpert.evaluation.roc import MAX_FPR
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.subgroups import FEWEST_PATIENTS, describe_subgroups
from chestxpert.evaluation.threshold_rules import ThresholdRule
from chestxpert.taxonomy import Taxonomy

CALIBRATES = ("platt", "temperature", "beta", "isotonic")
"""Corrections after training that are to make probabilities true ones."""


@dataclass(frozen=True, eq=False)
class Study:
    """What all parts are computed from.

    Parameters
    ----------
    runs : mapping of recipe to its runs
    measured : mapping of recipe to the same runs measured
    cohort : Cohort
    taxonomy : Taxonomy
    draws : PatientDraws
        Over the cohort's test images.
    rule : ThresholdRule
    primary : str
    detailed : sequence of str
        Recipes with intervals of everything.
    seed : int
        Of the draws.
    """

    runs: Mapping[str, Sequence[RunResult]]
    measured: Mapping[str, Sequence[RunMeasures]]
    cohort: Cohort
    taxonomy: Taxonomy
    draws: PatientDraws
    rule: ThresholdRule
    primary: str
    detailed: Sequence[str]
    seed: int

    def scored(self, name: str) -> list[Scored]:
        """The runs of a recipe on the test images."""
        return [run.scored for run in self.measured[name]]


def further_results(study: Study, columns: Sequence[str] = DEFAULT, other: Cohort | None = None) -> dict[str, Any]:
    """``groups``, ``operating``, ``calibration``, ``subgroups``, ``floor``, and ``agreement`` with another source.

    Parameters
    ----------
    study : Study
    columns : sequence of str
        What subgroups are made by; see `chestxpert.evaluation.partitions.partitions`.
    other : Cohort, optional
        The same images with labels of another source.
    """
    scored = {name: study.scored(name) for name in study.detailed}
    curves = {name: [drawn_curves(run, study.draws) for run in runs] for name, runs in scored.items()}
    points = {name: [_points(run) for run in runs] for name, runs in study.measured.items()}
    draws = {
        name: [_draws(run, extra) for run, extra in _zipped(runs, curves.get(name))]
        for name, runs in study.measured.items()
    }
    moves = {name: [run.spread.per_label for run in runs] for name, runs in study.measured.items()}
    result = {
        "groups": describe_groups(study.cohort, points, draws, moves),
        "operating": _operating(study, points, draws, scored),
        "calibration": _calibration(study, points, draws, scored),
        "subgroups": _subgroups(study, scored, columns),
        "floor": _floor(study, columns),
    }
    return result | ({} if other is None else {"agreement": _agreement(study, other)})


def _zipped(runs: Sequence[RunMeasures], extra: Sequence[Values] | None) -> list[tuple[RunMeasures, Values]]:
    return [(run, {}) for run in runs] if extra is None else list(zip(runs, extra, strict=True))


def _points(run: RunMeasures) -> Values:
    return {**run.test.per_label, **run.further.per_label}


def _draws(run: RunMeasures, curves: Values) -> Values:
    return {**run.drawn.per_label, **run.drawn_further.per_label, **curves}


Points = Mapping[str, Sequence[Values]]


def _operating(study: Study, points: Points, draws: Points, scored: Mapping[str, Sequence[Scored]]) -> dict[str, Any]:
    names = (*DECISIONS, *CURVES)
    return {
        "rule": str(study.rule),
        "sentence": study.rule.sentence,
        "chosen_on": "val",
        "partial_auroc": {"max_fpr": MAX_FPR, "standardised": "McClish 1989"},
        "detailed": list(study.detailed),
        "recipes": {
            name: {"overall": _ranking(runs)}
            | _with_recall(_both(study, names, points[name], draws[name]), study.cohort.label_space.labels, runs)
            for name, runs in study.measured.items()
        },
        "net_benefit": _net_benefit(study, scored),
    }


def _with_recall(described: dict[str, Any], labels: Sequence[str], runs: Sequence[RunMeasures]) -> dict[str, Any]:
    """The sensitivity of a label with the interval that its recall has: it is the same figure."""
    for column, label in enumerate(labels):
        recall = label_estimate("recall", column, runs)
        described["per_label"][label]["sensitivity"] |= {end: recall[end] for end in ("low", "high")}
    return described


def _ranking(runs: Sequence[RunMeasures]) -> dict[str, Any]:
    return {
        name: estimate([run.further.overall[name] for run in runs], [run.drawn_further.overall[name] for run in runs])
        for name in runs[0].further.overall
    }


def _both(study: Study, names: Sequence[str], points: Sequence[Values], draws: Sequence[Values]) -> dict[str, Any]:
    """Means over all labels, and every label, of some metrics of one recipe."""
    labels = study.cohort.label_space.labels
    drawn = {name: [seed[name] for seed in draws if name in seed] for name in names}
    means = {
        name: mean_over_labels(
            [seed[name] for seed in points], drawn[name], range(len(labels)), reflected=name in BIASED_IN_DRAWS
        )
        for name in names
        if name not in FITTED
    }
    each = {
        label: claimed(
            {
                name: estimate([seed[name][column] for seed in points], [array[:, column] for array in drawn[name]])
                for name in names
            }
        )
        for column, label in enumerate(labels)
    }
    return {"macro": claimed(means), "per_label": each}


def _net_benefit(study: Study, scored: Mapping[str, Sequence[Scored]]) -> dict[str, Any]:
    """Decision curves of the detailed recipes, and what they are to beat."""
    space, rows = study.cohort.label_space, study.cohort.rows("test")
    everybody = _acting_on_all(study.cohort.labels(rows), study.cohort.known(rows))
    rivals = {name: _rivals(study, runs[0]) for name, runs in scored.items()}
    return {
        "thresholds": list(THRESHOLDS),
        "treat_all": {label: everybody[:, column] for column, label in enumerate(space.labels)},
        "recipes": {name: _curves_of(runs, study, *rivals[name]) for name, runs in scored.items()},
    }


def _acting_on_all(truth: BoolArray, told: BoolArray, draws: PatientDraws | None = None) -> FloatArray:
    """Net benefit of acting on every image whose label can be measured, in every draw if there are any."""
    if draws is None:
        return treat_all(ratio((truth & told).sum(axis=0), told.sum(axis=0)))
    return treat_all(ratio(draws.totals(truth & told), draws.totals(told)))


def _rivals(study: Study, run: Scored) -> tuple[FloatArray, FloatArray]:
    """The better of acting on all and on none of a run's own images, as they are and in every draw."""
    told = np.ones_like(run.truth) if run.known is None else run.known
    alone, drawn = (_acting_on_all(run.truth, told, draws) for draws in (None, study.draws))
    return np.maximum(alone, 0), np.maximum(drawn, 0)


def _curves_of(runs: Sequence[Scored], study: Study, rival: FloatArray, drawn_rival: FloatArray) -> dict[str, Any]:
    """Of each label the curve, and its lead over the better of acting on all and on none, with intervals."""
    curve = seed_mean([net_benefit(run.truth, run.probs, known=run.known) for run in runs])
    drawn = seed_mean([net_benefit(run.truth, run.probs, known=run.known, draws=study.draws) for run in runs])
    lead, drawn_lead = curve - rival, drawn - drawn_rival
    return {
        label: {
            "model": _with_ends(curve[:, column], drawn[..., column]),
            "lead": _with_ends(lead[:, column], drawn_lead[..., column]),
        }
        for column, label in enumerate(study.cohort.label_space.labels)
    }


def _with_ends(values: FloatArray, draws: FloatArray) -> dict[str, Any]:
    """Values along a curve with the intervals of (D, T) draws."""
    ends = [interval(draws[:, position])[:2] for position in range(len(values))]
    return {"mean": values, "low": [low for low, _ in ends], "high": [high for _, high in ends]}


def _calibration(study: Study, points: Points, draws: Points, scored: Mapping[str, Sequence[Scored]]) -> dict[str, Any]:
    names = (*CALIBRATION, "brier")
    drawn = {**scored, **_calibrated(study)}
    return {
        "bins": BINS,
        "binning": "equal mass",
        "detailed": list(study.detailed),
        "recipes": {
            name: _both(study, names, points[name], draws[name]) | {"median": _medians(points[name])}
            for name in study.measured
        },
        "reliability": {name: _reliability(study, name, runs[0]) for name, runs in drawn.items()},
    }


def _calibrated(study: Study) -> dict[str, list[Scored]]:
    """What calibration made of the detailed recipes, to be seen beside them."""
    of = {name: runs[0].derived for name, runs in study.runs.items()}
    return {
        name: study.scored(name)
        for name, derived in of.items()
        if derived is not None
        and derived.kind == "posthoc"
        and derived.of[0] in study.detailed
        and name.removeprefix(f"{derived.of[0]}+") in CALIBRATES
    }


def _medians(points: Sequence[Values]) -> dict[str, float]:
    """Median over labels of slopes and intercepts, whose mean one rare finding could carry away."""
    return {name: float(macro([_median(seed[name]) for seed in points])) for name in FITTED}


def _median(values: FloatArray) -> float:
    defined = values[~np.isnan(values)]
    return float(np.median(defined)) if len(defined) else float("nan")


def _reliability(study: Study, name: str, run: Scored) -> dict[str, Any]:
    """Points of the reliability plot of a recipe's first seed: bins differ between seeds and have no mean."""
    bins = reliability(run.truth, run.probs, run.known, study.draws)
    described = {}
    for label, entry in zip(study.cohort.label_space.labels, bins, strict=True):
        low, high = share_interval(entry["share"], entry["n"], entry["drawn_share"])
        counts = {key: entry[key].astype(np.int64) for key in ("n", "positives")}
        described[label] = counts | {"mean_prob": entry["mean_prob"], "share": entry["share"], "low": low, "high": high}
    return {"seed": study.runs[name][0].seed, "per_label": described}


def _subgroups(study: Study, scored: Mapping[str, Sequence[Scored]], columns: Sequence[str]) -> dict[str, Any]:
    return {
        "by": [part.name for part in partitions(study.cohort, study.cohort.rows("test"), columns)],
        "fewest_patients": FEWEST_PATIENTS,
        "draws": len(study.draws.first(FEWER)),
        "detailed": list(study.detailed),
        "recipes": {name: _subgroups_of(runs, study, columns) for name, runs in scored.items()},
    }


def _subgroups_of(runs: Sequence[Scored], study: Study, columns: Sequence[str]) -> dict[str, Any]:
    parts = partitions(study.cohort, study.cohort.rows("test"), columns)
    return describe_subgroups(runs, parts, study.draws.first(FEWER), study.cohort.label_space.findings)


def _floor(study: Study, columns: Sequence[str]) -> dict[str, Any] | None:
    """The floor measured as recipes are, and how far the detailed ones are above it, each on what it predicts."""
    floor = shortcut_floor(study.cohort)
    if floor is None:
        return None
    run = RunResult(0, floor.predictions)
    measured = [RunMeasures.of(run, study.cohort, study.taxonomy, study.draws, study.rule)]
    values = recipe_values([run], measured, study.primary)
    described = describe_recipe([run], measured, values, study.cohort, study.taxonomy)
    ground = Ground(study.cohort, study.taxonomy, study.draws, study.rule, study.primary)
    below, whole = Line([run], measured, values), Coverage.of(floor.predictions, study.cohort)
    leads: dict[str, dict[str, Any]] = {}
    for name in study.detailed:
        mine = recipe_values(study.runs[name], study.measured[name], study.primary)
        own = Coverage.of(study.runs[name][0].predictions, study.cohort)
        floor_there = ground.limited(below, whole, own)
        there = floor_there.values
        leads[name] = {
            metric: estimate([mine.test[metric] - there.test[metric]], [mine.draws[metric] - there.draws[metric]])
            for metric in ("macro_auroc", "macro_ap", "macro_f1", "macro_auroc_findings", "macro_ap_findings")
        }
        leads[name]["per_label"] = lead_by_label(
            study.measured[name], floor_there.measured, study.cohort.label_space.labels
        )
    return {
        "features": list(floor.features),
        "fitted_on": "train",
        "unfitted": list(floor.unfitted),
        "metrics": described["metrics"],
        "per_label": described["per_label"],
        "levels": described["levels"],
        "subgroups": {
            by: {"groups": {group: {"macro": entry["macro"]} for group, entry in own["groups"].items()}}
            for by, own in _subgroups_of([measured[0].scored], study, columns).items()
        },
        "above": leads,
    }


def _agreement(study: Study, other: Cohort) -> dict[str, Any]:
    """Agreement of the labels, and the detailed recipes' first seeds measured against both sources."""
    shared = SharedImages.of(study.cohort, other)
    draws = min(len(study.draws), FEWER)
    described = describe_agreement(study.cohort, shared, draws, study.seed)
    measured: dict[str, Any] = {}
    for name in study.detailed:
        run, chosen = study.runs[name][0], study.measured[name][0].operating.labels.values
        if not Coverage.of(run.predictions, study.cohort).whole:
            measured[name] = None  # on fewer images or labels than the others: no figure beside theirs
            continue
        thresholds = dict(zip(study.cohort.label_space.labels, map(float, chosen), strict=True))
        measured[name] = measure_against_both(run.predictions, study.cohort, shared, thresholds, draws, study.seed)
    sources = sorted({str(source) for source in other.table["source"]})
    return {"source": ", ".join(sources), **described, "recipes": measured}
