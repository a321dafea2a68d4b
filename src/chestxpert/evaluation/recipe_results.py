"""The runs of one recipe over its seeds: means, intervals over patients, and spread over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chestxpert.cohort.frequency import training_groups
from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import FEWER, IntArray
from chestxpert.evaluation.contrasts import RecipeValues
from chestxpert.evaluation.coverage import Coverage
from chestxpert.evaluation.derived import Derived
from chestxpert.evaluation.estimates import seed_mean
from chestxpert.evaluation.hierarchy import hierarchical_scores
from chestxpert.evaluation.levels import (
    HIERARCHICAL,
    level_nodes,
    level_values,
    size_of,
)
from chestxpert.evaluation.levels import METRICS as LEVEL_METRICS
from chestxpert.evaluation.measured_runs import RunMeasures, RunResult
from chestxpert.evaluation.metrics import FloatArray, macro
from chestxpert.evaluation.run_metrics import defined_labels, label_counts
from chestxpert.evaluation.uncertainty.auroc_parts import AurocParts
from chestxpert.evaluation.uncertainty.estimates import ends, estimate, kind_of
from chestxpert.evaluation.uncertainty.intervals import bca
from chestxpert.evaluation.uncertainty.paired import analytic
from chestxpert.evaluation.uncertainty.seeds import combined_interval
from chestxpert.evaluation.uncertainty.spread import mean_move
from chestxpert.taxonomy import Taxonomy

LABEL_METRICS = ("auroc", "ap", "f1", "precision", "recall", "brier")


def describe_recipe(
    runs: Sequence[RunResult], measured: Sequence[RunMeasures], values: RecipeValues, cohort: Cohort, taxonomy: Taxonomy
) -> dict[str, Any]:
    """The recipe's entry of comparison.json; n_defined and n_undefined are those of its first seed."""
    defined = defined_labels(measured[0].test, taxonomy, training_groups(cohort))
    validation = {
        name: float(macro([run.validation.overall[name] for run in measured]))
        for name in measured[0].validation.overall
    }
    counts = label_counts(cohort, "test") if runs[0].external is None else measured[0].counts
    not_learnt = [label for label in cohort.label_space.labels if any(label in run.not_learnt for run in runs)]
    derived = runs[0].derived
    return {
        "architecture": runs[0].architecture,
        "seeds": [run.seed for run in runs],
        "cost": _mean_cost([run.cost for run in runs]) | _mean_asked([run.cost for run in runs]),
        "metrics": {name: _overall(name, measured, values) | defined.get(name, {}) for name in values.test},
        "validation": validation,
        "per_label": {
            label: _label(column, measured) | counts[label] for column, label in enumerate(cohort.label_space.labels)
        },
        "levels": _levels(measured, taxonomy),
        "tree": _mean_tree([run.tree for run in measured]),
        **({"not_learnt": not_learnt} if not_learnt else {}),
        **({} if derived is None else _origin(derived, runs)),
        **({} if runs[0].external is None else {"external": _external(runs, cohort)}),
    }


def _external(runs: Sequence[RunResult], cohort: Cohort) -> dict[str, Any]:
    """Where another tool's predictions come from, what they cover, and where their thresholds were chosen."""
    first = runs[0].predictions
    return {
        **(runs[0].external or {}),
        "coverage": Coverage.of(first, cohort).describe(cohort),
        "thresholds_chosen_on": "val" if first.has("val") else None,
    }


def _origin(derived: Derived, runs: Sequence[RunResult]) -> dict[str, Any]:
    """Where a line comes from that was not trained, and what was done to each of its runs."""
    records = [dict(run.derived.record) for run in runs if run.derived is not None]
    return {"derived": {"kind": derived.kind, "of": list(derived.of), "runs": records}}


def _overall(name: str, measured: Sequence[RunMeasures], values: RecipeValues) -> dict[str, Any]:
    per_seed = [float(run.test.overall[name]) for run in measured]
    low, high, n_draws = values.interval(name)
    return {
        "mean": values.test[name],
        "low": low,
        "high": high,
        "interval": values.interval_kind(name),
        "n_draws": n_draws,
        "bca": ends(bca(values.draws[name], values.test[name], values.moves[name])),
        "sd_seeds": float(np.std(per_seed, ddof=1)) if len(per_seed) > 1 else None,
        "per_seed": per_seed,
    } | _sources(name, values)


def _sources(name: str, values: RecipeValues) -> dict[str, Any]:
    """Patients and seeds as sources of variance, apart and together; beside macro AUROC its analytic error."""
    parts = values.seeds[name]
    sources: dict[str, Any] = {
        "sd_patients": parts.patients**0.5,
        "variance": {"patients": parts.patients, "seeds": parts.seed, "seeds_by_patients": parts.interaction},
        "over_seeds": ends(combined_interval(values.test[name], [parts], values.patients)),
    }
    if name == "macro_auroc" and values.auroc is not None:
        sources["obuchowski"] = analytic(values.auroc)
    return sources


def label_estimate(name: str, column: int, measured: Sequence[RunMeasures]) -> dict[str, Any]:
    """One metric of one label: mean over seeds and interval over patients.

    Parameters
    ----------
    name : str
        Of `LABEL_METRICS`.
    column : int
    measured : sequence of RunMeasures
        The runs of one recipe.
    """
    return _estimate(
        [run.test.per_label[name][column] for run in measured],
        [run.drawn.per_label[name][:, column] for run in measured],
        [run.spread.per_label[name][:, column] for run in measured],
        kind_of(name),
        int(measured[0].spread.carriers[column]),
        _mean_behind([run.spread.behind for run in measured], name, column),
    )


def _mean_behind(behind: Sequence[Mapping[str, IntArray]], name: str, column: int) -> float:
    """Mean over seeds of the patients behind a metric; 0 where it is no share."""
    return float(np.mean([patients[name][column] for patients in behind])) if name in behind[0] else 0.0


def _label(column: int, measured: Sequence[RunMeasures]) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for name in LABEL_METRICS:
        entry[name] = label_estimate(name, column, measured)
    entry["auroc"]["obuchowski"] = analytic(AurocParts.average([run.spread.auroc for run in measured]).column(column))
    thresholds = [float(run.operating.labels.values[column]) for run in measured]
    return entry | {
        "threshold": float(np.mean(thresholds)),
        "thresholds": thresholds,
        "threshold_fallback": bool(measured[0].operating.labels.fallback[column]),
    }


def _levels(measured: Sequence[RunMeasures], taxonomy: Taxonomy) -> dict[str, Any]:
    """Means of each level and metrics of each inner node, over seeds and with intervals; see `levels`."""
    per_seed = [run.inner.values for run in measured]
    test = [level_values(run.test.per_label, own, taxonomy) for run, own in zip(measured, per_seed, strict=True)]
    labels = [{name: run.drawn.per_label[name][:FEWER] for name in LEVEL_METRICS} for run in measured]
    drawn = [level_values(own, run.drawn_inner, taxonomy) for own, run in zip(labels, measured, strict=True)]
    moved = [level_values(run.spread.per_label, run.spread.inner, taxonomy) for run in measured]
    means = {}
    for level in range(max(taxonomy.levels)):
        nodes = level_nodes(taxonomy, level + 1)
        means[str(level + 1)] = (
            {"nodes": nodes}
            | size_of(test[0][level])
            | {
                name: _estimate(
                    [macro(seed[level][name]) for seed in test],
                    [macro(seed[level][name]) for seed in drawn],
                    [mean_move(seed[level][name]) for seed in moved],
                    "jackknife" if name == "ap" else "percentile",  # biased in draws as macro AP is
                )
                for name in LEVEL_METRICS
            }
        )
    counts = measured[0].inner.counts
    inner = {
        node: counts[node]
        | {
            name: _estimate(
                [own[name][column] for own in per_seed],
                [run.drawn_inner[name][:, column] for run in measured],
                [run.spread.inner[name][:, column] for run in measured],
                kind_of(name),
                int(measured[0].spread.inner_carriers[column]),
                _mean_behind([run.spread.inner_behind for run in measured], name, column),
            )
            for name in LEVEL_METRICS
        }
        for column, node in enumerate(measured[0].inner.names)
    }
    return {"means": means, "hierarchical": _hierarchical_levels(measured), "inner": inner}


def _hierarchical_levels(measured: Sequence[RunMeasures]) -> dict[str, dict[str, Any]]:
    """Hierarchical precision, recall and F1 of each level, with intervals."""
    scores = [hierarchical_scores(run.by_level) for run in measured]
    return {
        str(level + 1): {
            name: _estimate(
                [own[k][0, level] for own in scores],
                [own[k][1:, level] for own in scores],
                [run.spread.hierarchical[k][:, level] for run in measured],
            )
            for k, name in enumerate(HIERARCHICAL)
        }
        for level in range(measured[0].by_level.shape[1])
    }


def _estimate(
    points: Sequence[FloatArray],
    draws: Sequence[FloatArray],
    moves: Sequence[FloatArray],
    kind: str = "percentile",
    carriers: int = 0,
    patients: float = 0.0,
) -> dict[str, Any]:
    """Mean over seeds and its interval over patients."""
    mean = float(macro([float(point) for point in points]))
    return estimate(mean, seed_mean(draws), seed_mean(moves), kind, carriers, patients)


def _mean_cost(costs: Sequence[Mapping[str, Any]]) -> dict[str, float | int | None]:
    """Mean over seeds of every cost that is a number; None where no run knows it."""
    keys = dict.fromkeys(["parameters", "train_seconds", "train_image_passes", "ms_per_image"])
    for cost in costs:
        keys.update(dict.fromkeys(key for key, value in cost.items() if _is_number(value)))
    result: dict[str, float | int | None] = {}
    for key in keys:
        known = [cost[key] for cost in costs if _is_number(cost.get(key))]
        mean = float(np.mean(known)) if known else None
        whole = mean is not None and mean.is_integer() and all(isinstance(value, int) for value in known)
        result[key] = int(mean) if whole and mean is not None else mean
    return result


def _mean_asked(costs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean over seeds of the share of images that each network is asked of; nothing where a run does not know it."""
    asked = [cost.get("asked") for cost in costs]
    shares = [share for share in asked if isinstance(share, Mapping)]
    if len(shares) < len(costs) or not shares:
        return {}
    return {"asked": {name: float(np.mean([share[name] for share in shares])) for name in shares[0]}}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mean_tree(trees: Sequence[Any]) -> Any:
    """Counts along the tree, averaged over seeds; what is no number is the same in all of them."""
    first = trees[0]
    if isinstance(first, Mapping):
        return {key: _mean_tree([tree[key] for tree in trees]) for key in first}
    return float(np.mean(trees)) if _is_number(first) else first
