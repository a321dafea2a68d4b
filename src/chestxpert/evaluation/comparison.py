"""The comparison of a study's recipes: comparison.json, from predictions and the cohort alone.

All recipes and seeds are measured on the same bootstrap draws over test patients. A recipe's value is the mean of a
metric over its seeds, in every draw too; so intervals and p-values speak of patients, and the spread over seeds stands
beside them.

Lines that were made of stored predictions (`derived`) are measured like all others and held against those they come
from, and lines that another tool predicted (`external`) against the baseline. Baseline, best of each side and verdict
are about trained recipes alone; without any, about what other tools predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chestxpert.cohort.frequency import training_groups
from chestxpert.cohort.table import SPLITS, Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.bootstrap import DRAWS, FEWER, LEVEL, PatientDraws
from chestxpert.evaluation.contrasts import (
    RecipeValues,
    baseline_of,
    contrasts,
    derived_contrasts,
    ranked_by_validation,
)
from chestxpert.evaluation.diagnosis import MeasuredRun, diagnose
from chestxpert.evaluation.external_lines import Ground, Line, external_contrasts
from chestxpert.evaluation.external_verdict import external_verdict
from chestxpert.evaluation.further_results import Study, further_results
from chestxpert.evaluation.partitions import DEFAULT
from chestxpert.evaluation.recipe_results import RunMeasures, RunResult, describe_recipe, recipe_values
from chestxpert.evaluation.run_metrics import plain
from chestxpert.evaluation.threshold_rules import F1, ThresholdRule
from chestxpert.evaluation.uncertainty.permutation import PERMUTATIONS, permutation_p
from chestxpert.evaluation.uncertainty.smallest import checked_margin
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
    draws: int = DRAWS,
    seed: int = 0,
    primary: str = "macro_ap",
    margin: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    rule: ThresholdRule = F1,
    subgroups: Sequence[str] = DEFAULT,
    other: Cohort | None = None,
) -> dict[str, Any]:
    """Compare recipes on the test images of a cohort.

    Parameters
    ----------
    study : mapping of recipe name to its runs
        One run a seed. Derived lines and those of other tools stand among them; of these the first is the baseline
        where no recipe was trained.
    cohort : Cohort
    taxonomy : Taxonomy
        The tree on which hierarchical metrics of every recipe are measured.
    draws : int
        Bootstrap draws over test patients, and as many permutations, up to `PERMUTATIONS`.
    seed : int
        Of the draws and of the permutations.
    primary : {"macro_ap", "macro_auroc", "macro_f1"}
        The metric that chooses the best recipe on validation and that the verdict is about.
    margin : float, optional
        Largest difference of a metric that would not matter, between 0 and 1; contrasts are tested for equivalence.
    progress : callable, optional
        Called with (runs measured, runs in all).
    rule : ThresholdRule
        By which thresholds are chosen on validation.
    subgroups : sequence of str
        What subgroups of the test images are made by; see `chestxpert.evaluation.partitions.partitions`.
    other : Cohort, optional
        The same images with labels of another source, to hold these against.

    Returns
    -------
    dict
        comparison.json as docs/statistics.md describes it: strict JSON values, undefined is None.

    Raises
    ------
    PredictionsError
        If there is nothing to compare, a split is empty, an image has no prediction, or the margin is none.
    """
    _check(study, cohort, primary)
    checked_margin(margin)
    test = cohort.rows("test")
    drawn = PatientDraws.draw(cohort.patients[test], draws, seed)
    measured = _measure_all(study, cohort, taxonomy, drawn, rule, progress)
    values = {name: recipe_values(runs, measured[name], primary) for name, runs in study.items()}
    derived = {name: runs[0].derived for name, runs in study.items() if runs[0].derived is not None}
    external = [name for name, runs in study.items() if runs[0].external is not None]
    trained = {name: own for name, own in values.items() if name not in derived and name not in external}
    metrics = [primary, *(metric for metric in WORDS if metric != primary)]
    scored = {name: [run.scored for run in runs] for name, runs in measured.items()}

    def permuted(a: str, b: str) -> dict[str, float]:
        return permutation_p(scored[a], scored[b], drawn, seed)

    tested = contrasts(trained, metrics, permuted=permuted, margin=margin) if trained else []
    baseline = baseline_of(trained) if trained else external[0]
    ground = Ground(cohort, taxonomy, drawn, rule, primary)
    lines = {name: Line(study[name], measured[name], values[name]) for name in dict.fromkeys([baseline, *external])}
    beside = external_contrasts(
        lines,
        [(name, baseline) for name in external if name != baseline],
        "external" if trained else "baseline",
        metrics,
        ground,
        lambda first, second: permutation_p(first, second, drawn, seed),
        margin,
    )
    setting = Setting(len(test), cohort.n_patients("test"), cohort.simulated)
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "label_space": list(cohort.label_space.labels),
        "cohort": _describe_cohort(cohort),
        "taxonomy": taxonomy.name,
        "bootstrap": {"unit": "patient", "draws": draws, "seed": seed, "level": LEVEL},
        "permutations": {"unit": "patient", "number": min(draws, PERMUTATIONS), "seed": seed},
        "margin": margin,
        "primary": primary,
        "baseline": baseline,
        "best": {
            side: next(iter(ranked_by_validation(trained, side == "hierarchical")), None)
            for side in ("flat", "hierarchical")
        },
        "recipes": {
            name: describe_recipe(runs, measured[name], values[name], cohort, taxonomy) for name, runs in study.items()
        },
        "contrasts": [*tested, *beside, *derived_contrasts(values, derived, [*metrics, *OF_DERIVED], permuted)],
        "verdict": verdict(trained, tested, primary, setting)
        if trained
        else external_verdict(lines, beside, primary, setting, ground),
    }
    detailed = list(dict.fromkeys([baseline, *filter(None, result["best"].values()), *external]))
    whole = Study(study, measured, cohort, taxonomy, drawn, rule, primary, detailed, seed)
    diagnosis = _diagnosis(study, measured, trained, cohort, drawn) if trained else None
    return dict(
        plain(
            result | ({} if diagnosis is None else {"diagnosis": diagnosis}) | further_results(whole, subgroups, other)
        )
    )


def _diagnosis(
    study: Mapping[str, Sequence[RunResult]],
    measured: Mapping[str, Sequence[RunMeasures]],
    trained: Mapping[str, RecipeValues],
    cohort: Cohort,
    drawn: PatientDraws,
) -> dict[str, Any] | None:
    """Every trained hierarchy against the flat recipes that contrasts know too: best on validation, and baseline."""
    flat = [*ranked_by_validation(trained, False)[:1], baseline_of(trained)]
    against = [name for name in dict.fromkeys(flat) if not trained[name].hierarchical]
    columns = [cohort.label_space.index(finding) for finding in cohort.label_space.findings]
    runs = {
        name: [
            MeasuredRun(run.predictions, own.operating, own.average_precision[: 1 + FEWER, columns])
            for run, own in zip(study[name], measured[name], strict=True)
        ]
        for name in trained
    }
    return diagnose(runs, against, cohort, drawn.first(FEWER))


def _measure_all(
    study: Mapping[str, Sequence[RunResult]],
    cohort: Cohort,
    taxonomy: Taxonomy,
    drawn: PatientDraws,
    rule: ThresholdRule,
    progress: Callable[[int, int], None] | None,
) -> dict[str, list[RunMeasures]]:
    measured: dict[str, list[RunMeasures]] = {name: [] for name in study}
    total, done = sum(len(runs) for runs in study.values()), 0
    for name, runs in study.items():
        for run in runs:
            measured[name].append(RunMeasures.of(run, cohort, taxonomy, drawn, rule))
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
        "groups": training_groups(cohort),
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
