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
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chestxpert.cohort.frequency import training_groups
from chestxpert.cohort.table import SPLITS, Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.bootstrap import DRAWS, FEWER, LEVEL, PatientDraws
from chestxpert.evaluation.contrasts import (
    RecipeValues,
    baseline_of,
    contrast_pairs,
    contrasts,
    derived_contrasts,
    ranked_by_validation,
)
from chestxpert.evaluation.diagnosis import MeasuredRun, diagnose
from chestxpert.evaluation.each import Each, one_by_one
from chestxpert.evaluation.external_lines import Ground, Line, external_contrasts
from chestxpert.evaluation.external_verdict import external_verdict
from chestxpert.evaluation.further_results import further_results
from chestxpert.evaluation.measured_runs import RunResult, recipe_values
from chestxpert.evaluation.partitions import DEFAULT
from chestxpert.evaluation.recipe_results import describe_recipe
from chestxpert.evaluation.run_metrics import plain
from chestxpert.evaluation.scored import Decided
from chestxpert.evaluation.study_lines import Study
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
    each: Each = one_by_one,
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
    each : callable
        How independent parts of the work are done: one by one, unless the caller has processes for them. No figure
        depends on it.

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
    ground = Ground(cohort, taxonomy, drawn, rule, primary)
    lines, described = _measure_all(study, ground, each, progress)
    values = {name: line.values for name, line in lines.items()}
    derived = {name: runs[0].derived for name, runs in study.items() if runs[0].derived is not None}
    external = [name for name, runs in study.items() if runs[0].external is not None]
    trained = {name: own for name, own in values.items() if name not in derived and name not in external}
    metrics = [primary, *(metric for metric in WORDS if metric != primary)]
    pairs = [(a, b) for a, b, _ in contrast_pairs(trained)] if trained else []
    pairs += [(name, origin) for name, line in derived.items() if line.kind == "posthoc" for origin in line.of]
    swapped = each(_permute, ground, [_Permutation(lines[a].decided, lines[b].decided, seed) for a, b in pairs])
    found = dict(zip(pairs, swapped, strict=True))

    def permuted(a: str, b: str) -> dict[str, float]:
        return found[a, b]

    tested = contrasts(trained, metrics, permuted=permuted, margin=margin) if trained else []
    baseline = baseline_of(trained) if trained else external[0]
    predicted = {name: lines[name] for name in dict.fromkeys([baseline, *external])}
    beside = external_contrasts(
        predicted,
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
        "recipes": described,
        "contrasts": [*tested, *beside, *derived_contrasts(values, derived, [*metrics, *OF_DERIVED], permuted)],
        "verdict": verdict(trained, tested, primary, setting)
        if trained
        else external_verdict(predicted, beside, primary, setting, ground),
    }
    detailed = list(dict.fromkeys([baseline, *filter(None, result["best"].values()), *external]))
    whole = Study(lines, ground, detailed, seed, each)
    diagnosis = _diagnosis(lines, trained, ground, each) if trained else None
    return dict(
        plain(
            result | ({} if diagnosis is None else {"diagnosis": diagnosis}) | further_results(whole, subgroups, other)
        )
    )


def _diagnosis(
    lines: Mapping[str, Line], trained: Mapping[str, RecipeValues], ground: Ground, each: Each
) -> dict[str, Any] | None:
    """Every trained hierarchy against the flat recipes that contrasts know too: best on validation, and baseline."""
    flat = [*ranked_by_validation(trained, False)[:1], baseline_of(trained)]
    against = [name for name in dict.fromkeys(flat) if not trained[name].hierarchical]
    space = ground.cohort.label_space
    columns = [space.index(finding) for finding in space.findings]
    runs = {
        name: [
            MeasuredRun(run.predictions, own.operating, own.average_precision[: 1 + FEWER, columns])
            for run, own in zip(lines[name].runs, lines[name].measured, strict=True)
        ]
        for name in trained
    }
    return diagnose(runs, against, ground.cohort, ground.draws.first(FEWER), each)


@dataclass(frozen=True, eq=False)
class _Permutation:
    """Two lines to be held against each other."""

    first: Sequence[Decided]
    second: Sequence[Decided]
    seed: int


def _permute(ground: Ground, asked: _Permutation) -> dict[str, float]:
    return permutation_p(ground.scored(asked.first), ground.scored(asked.second), ground.draws, asked.seed)


def _measure_all(
    study: Mapping[str, Sequence[RunResult]], ground: Ground, each: Each, progress: Callable[[int, int], None] | None
) -> tuple[dict[str, Line], dict[str, Any]]:
    """Every line measured, and described while others still are."""
    total, done = sum(len(runs) for runs in study.values()), 0
    results = each(Ground.measure, ground, [run for runs in study.values() for run in runs])
    lines, described = {}, {}
    for name, runs in study.items():
        measured = []
        for own in islice(results, len(runs)):
            measured.append(own)
            done += 1
            if progress is not None:
                progress(done, total)
        lines[name] = Line(runs, measured, recipe_values(runs, measured, ground.primary))
        described[name] = describe_recipe(runs, measured, lines[name].values, ground.cohort, ground.taxonomy)
    return lines, described


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
