"""What comparison.json says beyond the comparison itself, each part under a top-level key of its own.

Every recipe has point values of everything and intervals of what is cheap to draw. What is dear to draw (parts of the
ROC curve, calibration, decision curves, subgroups) has intervals for the recipes an answer rests on: the baseline, and
the best of each side as validation chose them. ``detailed`` names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.agreement import SharedImages, describe_agreement, measure_against_both
from chestxpert.evaluation.bootstrap import FEWER, PatientDraws, interval
from chestxpert.evaluation.coverage import Coverage
from chestxpert.evaluation.decision_curve import THRESHOLDS, net_benefit, treat_all
from chestxpert.evaluation.estimates import claimed, estimate, mean_over_labels, seed_mean
from chestxpert.evaluation.external_lines import Ground
from chestxpert.evaluation.further import BIASED_IN_DRAWS, CALIBRATION, CURVES, DECISIONS, FITTED, drawn_curves
from chestxpert.evaluation.groups import describe_groups
from chestxpert.evaluation.measured_runs import RunMeasures
from chestxpert.evaluation.measures import Values
from chestxpert.evaluation.metrics import BoolArray, FloatArray, macro, ratio
from chestxpert.evaluation.partitions import DEFAULT
from chestxpert.evaluation.recipe_results import label_estimate
from chestxpert.evaluation.reliability import BINS, reliability, share_interval
from chestxpert.evaluation.roc import MAX_FPR
from chestxpert.evaluation.scored import Decided, Scored
from chestxpert.evaluation.study_lines import Study
from chestxpert.evaluation.whom_results import begin_subgroups, describe_floor, measured_floor

CALIBRATES = ("platt", "temperature", "beta", "isotonic")
"""Corrections after training that are to make probabilities true ones."""


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
    # What takes long is begun first, all of it, so that whoever shares it out has enough to share.
    runs = [(name, run) for name in study.detailed for run in study.lines[name].decided]
    curves_of_runs = study.each(_drawn_curves, study.ground, [run for _, run in runs])
    subgroups = begin_subgroups(study, columns)
    floor = study.each(measured_floor, study.ground, [columns])
    benefits = study.each(_benefit, study.ground, [study.lines[name].decided for name in study.detailed])
    drawn = [*study.detailed, *_calibrated(study)]
    bins = study.each(_reliability, study.ground, [study.lines[name].decided[0] for name in drawn])
    curves: dict[str, list[Values]] = {name: [] for name in study.detailed}
    for (name, _), values in zip(runs, curves_of_runs, strict=True):
        curves[name].append(values)
    points = {name: [_points(run) for run in runs] for name, runs in study.measured.items()}
    draws = {
        name: [_draws(run, extra) for run, extra in _zipped(runs, curves.get(name))]
        for name, runs in study.measured.items()
    }
    moves = {name: [run.spread.per_label for run in runs] for name, runs in study.measured.items()}
    result: dict[str, Any] = {
        "groups": describe_groups(study.cohort, points, draws, moves),
        "operating": _operating(study, points, draws),
        "calibration": _calibration(study, points, draws),
        "subgroups": next(subgroups),
        "floor": describe_floor(study, next(floor)),
    }
    result["operating"]["net_benefit"] |= {"recipes": dict(zip(study.detailed, benefits, strict=True))}
    result["calibration"]["reliability"] = {
        name: {"seed": study.lines[name].runs[0].seed, "per_label": own} for name, own in zip(drawn, bins, strict=True)
    }
    return result | ({} if other is None else {"agreement": _agreement(study, other)})


def _drawn_curves(ground: Ground, run: Decided) -> Values:
    return drawn_curves(run.scored(ground.cohort, ground.taxonomy), ground.draws)


def _zipped(runs: Sequence[RunMeasures], extra: Sequence[Values] | None) -> list[tuple[RunMeasures, Values]]:
    return [(run, {}) for run in runs] if extra is None else list(zip(runs, extra, strict=True))


def _points(run: RunMeasures) -> Values:
    return {**run.test.per_label, **run.further.per_label}


def _draws(run: RunMeasures, curves: Values) -> Values:
    return {**run.drawn.per_label, **run.drawn_further.per_label, **curves}


Points = Mapping[str, Sequence[Values]]


def _operating(study: Study, points: Points, draws: Points) -> dict[str, Any]:
    names = (*DECISIONS, *CURVES)
    return {
        "rule": str(study.ground.rule),
        "sentence": study.ground.rule.sentence,
        "chosen_on": "val",
        "partial_auroc": {"max_fpr": MAX_FPR, "standardised": "McClish 1989"},
        "detailed": list(study.detailed),
        "recipes": {
            name: {"overall": _ranking(runs)}
            | _with_recall(_both(study, names, points[name], draws[name]), study.cohort.label_space.labels, runs)
            for name, runs in study.measured.items()
        },
        "net_benefit": _net_benefit(study.cohort),
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


def _net_benefit(cohort: Cohort) -> dict[str, Any]:
    """What decision curves are to beat."""
    space, rows = cohort.label_space, cohort.rows("test")
    everybody = _acting_on_all(cohort.labels(rows), cohort.known(rows))
    return {
        "thresholds": list(THRESHOLDS),
        "treat_all": {label: everybody[:, column] for column, label in enumerate(space.labels)},
    }


def _acting_on_all(truth: BoolArray, told: BoolArray, draws: PatientDraws | None = None) -> FloatArray:
    """Net benefit of acting on every image whose label can be measured, in every draw if there are any."""
    if draws is None:
        return treat_all(ratio((truth & told).sum(axis=0), told.sum(axis=0)))
    return treat_all(ratio(draws.totals(truth & told), draws.totals(told)))


def _rivals(run: Scored, draws: PatientDraws) -> tuple[FloatArray, FloatArray]:
    """The better of acting on all and on none of a run's own images, as they are and in every draw."""
    told = np.ones_like(run.truth) if run.known is None else run.known
    alone, drawn = (_acting_on_all(run.truth, told, each) for each in (None, draws))
    return np.maximum(alone, 0), np.maximum(drawn, 0)


def _benefit(ground: Ground, decided: Sequence[Decided]) -> dict[str, Any]:
    """Of each label the decision curve of a recipe, and its lead over acting on all and on none, with intervals."""
    runs, draws = ground.scored(decided), ground.draws
    rival, drawn_rival = _rivals(runs[0], draws)
    curve = seed_mean([net_benefit(run.truth, run.probs, known=run.known) for run in runs])
    drawn = seed_mean([net_benefit(run.truth, run.probs, known=run.known, draws=draws) for run in runs])
    lead, drawn_lead = curve - rival, drawn - drawn_rival
    return {
        label: {
            "model": _with_ends(curve[:, column], drawn[..., column]),
            "lead": _with_ends(lead[:, column], drawn_lead[..., column]),
        }
        for column, label in enumerate(ground.cohort.label_space.labels)
    }


def _with_ends(values: FloatArray, draws: FloatArray) -> dict[str, Any]:
    """Values along a curve with the intervals of (D, T) draws."""
    ends = [interval(draws[:, position])[:2] for position in range(len(values))]
    return {"mean": values, "low": [low for low, _ in ends], "high": [high for _, high in ends]}


def _calibration(study: Study, points: Points, draws: Points) -> dict[str, Any]:
    names = (*CALIBRATION, "brier")
    return {
        "bins": BINS,
        "binning": "equal mass",
        "detailed": list(study.detailed),
        "recipes": {
            name: _both(study, names, points[name], draws[name]) | {"median": _medians(points[name])}
            for name in study.measured
        },
    }


def _calibrated(study: Study) -> list[str]:
    """What calibration made of the detailed recipes, to be seen beside them."""
    of = {name: line.runs[0].derived for name, line in study.lines.items()}
    return [
        name
        for name, derived in of.items()
        if derived is not None
        and derived.kind == "posthoc"
        and derived.of[0] in study.detailed
        and name.removeprefix(f"{derived.of[0]}+") in CALIBRATES
    ]


def _medians(points: Sequence[Values]) -> dict[str, float]:
    """Median over labels of slopes and intercepts, whose mean one rare finding could carry away."""
    return {name: float(macro([_median(seed[name]) for seed in points])) for name in FITTED}


def _median(values: FloatArray) -> float:
    defined = values[~np.isnan(values)]
    return float(np.median(defined)) if len(defined) else float("nan")


def _reliability(ground: Ground, decided: Decided) -> dict[str, Any]:
    """Points of the reliability plot of a recipe's first seed: bins differ between seeds and have no mean."""
    run = decided.scored(ground.cohort, ground.taxonomy)
    bins = reliability(run.truth, run.probs, run.known, ground.draws)
    described = {}
    for label, entry in zip(ground.cohort.label_space.labels, bins, strict=True):
        low, high = share_interval(entry["share"], entry["n"], entry["drawn_share"])
        counts = {key: entry[key].astype(np.int64) for key in ("n", "positives")}
        described[label] = counts | {"mean_prob": entry["mean_prob"], "share": entry["share"], "low": low, "high": high}
    return described


def _agreement(study: Study, other: Cohort) -> dict[str, Any]:
    """Agreement of the labels, and the detailed recipes' first seeds measured against both sources."""
    shared = SharedImages.of(study.cohort, other)
    draws = min(len(study.ground.draws), FEWER)
    described = describe_agreement(study.cohort, shared, draws, study.seed)
    measured: dict[str, Any] = {}
    for name in study.detailed:
        run, chosen = study.lines[name].runs[0], study.lines[name].measured[0].operating.labels.values
        if not Coverage.of(run.predictions, study.cohort).whole:
            measured[name] = None  # on fewer images or labels than the others: no figure beside theirs
            continue
        thresholds = dict(zip(study.cohort.label_space.labels, map(float, chosen), strict=True))
        measured[name] = measure_against_both(run.predictions, study.cohort, shared, thresholds, draws, study.seed)
    sources = sorted({str(source) for source in other.table["source"]})
    return {"source": ", ".join(sources), **described, "recipes": measured}
