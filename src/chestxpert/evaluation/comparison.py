"""The comparison of a study's recipes: comparison.json, from predictions and the cohort alone.

All recipes and seeds are measured on the same bootstrap draws over test patients. A recipe's value is the mean of a
metric over its seeds, in every draw too; so intervals and p-values speak of patients, and the spread over seeds stands
beside them.

Lines that were made of stored predictions (`derived`) are measured like all others and held against those they come
from. Baseline, best of each side and verdict are about trained recipes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chestxpert.cohort.table import SPLITS, Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.bootstrap import LEVEL, PatientDraws
from chestxpert.evaluation.contrasts import baseline_of, contrasts, derived_contrasts, ranked_by_validation
from chestxpert.evaluation.recipe_results import RunMeasures, RunResult, describe_recipe, recipe_values
from chestxpert.evaluation.run_metrics import plain
from chestxpert.evaluation.verdict import WORDS, Setting, verdict
from chestxpert.taxonomy import Taxonomy

SCHEMA = 1

OF_DERIVED = ("macro_f1_at_half", "brier")
"""What derived lines are held against their recipes on besides: most corrections change no order, so that ranking
metrics stay, and thresholds are chosen anew for each line."""

__all__ = ["RunResult", "compare_runs"]


def compare_runs(
    study: Mapping[str, Sequence[RunResult]],
    cohort: Cohort,
    taxonomy: Taxonomy,
    draws: int = 1000,
    seed: int = 0,
    primary: str = "macro_ap",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Compare recipes on the test images of a cohort.

    Parameters
    ----------
    study : mapping of recipe name to its runs
        One run a seed. Derived lines stand among them.
    cohort : Cohort
    taxonomy : Taxonomy
        The tree on which hierarchical metrics of every recipe are measured.
    draws : int
        Bootstrap draws over test patients.
    seed : int
        Of the draws.
    primary : {"macro_ap", "macro_auroc", "macro_f1"}
        The metric that chooses the best recipe on validation and that the verdict is about.
    progress : callable, optional
        Called with (runs measured, runs in all).

    Returns
    -------
    dict
        comparison.json as docs/statistics.md describes it: strict JSON values, undefined is None.

    Raises
    ------
    PredictionsError
        If there is nothing to compare, a split is empty, or an image has no prediction.
    """
    _check(study, cohort, primary)
    test = cohort.rows("test")
    drawn = PatientDraws.draw(cohort.patients[test], draws, seed)
    measured = _measure_all(study, cohort, taxonomy, drawn, progress)
    values = {name: recipe_values(runs, measured[name], primary) for name, runs in study.items()}
    derived = {name: runs[0].derived for name, runs in study.items() if runs[0].derived is not None}
    trained = {name: own for name, own in values.items() if name not in derived}
    metrics = [primary, *(metric for metric in WORDS if metric != primary)]
    tested = contrasts(trained, metrics)
    setting = Setting(len(test), cohort.n_patients("test"), cohort.simulated)
    result = {
        "schema": SCHEMA,
        "label_space": list(cohort.label_space.labels),
        "cohort": _describe_cohort(cohort),
        "taxonomy": taxonomy.name,
        "bootstrap": {"unit": "patient", "draws": draws, "seed": seed, "level": LEVEL},
        "primary": primary,
        "baseline": baseline_of(trained),
        "best": {
            side: next(iter(ranked_by_validation(trained, side == "hierarchical")), None)
            for side in ("flat", "hierarchical")
        },
        "recipes": {
            name: describe_recipe(runs, measured[name], values[name], cohort, taxonomy) for name, runs in study.items()
        },
        "contrasts": [*tested, *derived_contrasts(values, derived, [*metrics, *OF_DERIVED])],
        "verdict": verdict(trained, tested, primary, setting),
    }
    return dict(plain(result))


def _measure_all(
    study: Mapping[str, Sequence[RunResult]],
    cohort: Cohort,
    taxonomy: Taxonomy,
    drawn: PatientDraws,
    progress: Callable[[int, int], None] | None,
) -> dict[str, list[RunMeasures]]:
    measured: dict[str, list[RunMeasures]] = {name: [] for name in study}
    total, done = sum(len(runs) for runs in study.values()), 0
    for name, runs in study.items():
        for run in runs:
            measured[name].append(RunMeasures.of(run, cohort, taxonomy, drawn))
            done += 1
            if progress is not None:
                progress(done, total)
    return measured


def _describe_cohort(cohort: Cohort) -> dict[str, Any]:
    return {
        "images": {split: len(cohort.rows(split)) for split in SPLITS},
        "patients": {split: cohort.n_patients(split) for split in SPLITS},
        "fingerprint": cohort.fingerprint,
        "simulated": cohort.simulated,
    }


def _check(study: Mapping[str, Sequence[RunResult]], cohort: Cohort, primary: str) -> None:
    if primary not in WORDS:
        raise PredictionsError(f"The primary metric must be one of {', '.join(WORDS)}, but got '{primary}'.")
    empty = [name for name, runs in study.items() if not runs]
    if all(run.derived for runs in study.values() for run in runs) or empty:
        raise PredictionsError(f"There are no runs to compare ({', '.join(empty) or 'no recipe'}). Train some first.")
    lost = {name for runs in study.values() for run in runs if run.derived for name in run.derived.of} - study.keys()
    if lost:
        raise PredictionsError(f"There are no runs of {', '.join(sorted(lost))}, which other lines were made of.")
    if not len(cohort.rows("test")):
        raise PredictionsError("The cohort has no test images to compare recipes on. Prepare it with a test split.")
    for name, runs in study.items():
        seeds = [run.seed for run in runs]
        if len(set(seeds)) < len(seeds) or len({run.architecture for run in runs}) > 1:
            raise PredictionsError(
                f"The runs of recipe '{name}' must differ in seed and share one architecture, but have seeds {seeds} "
                f"and architectures {sorted({run.architecture for run in runs})}."
            )
