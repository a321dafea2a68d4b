"""The comparison of a study, from the predictions that its runs stored: no network, no image, no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from chestxpert.cohort.table import Cohort
from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.evaluation.partitions import DEFAULT, partitions
from chestxpert.evaluation.posthoc.lines import with_posthoc
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.threshold_rules import F1, ThresholdRule
from chestxpert.files import write_json, write_text
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Posthoc, Recipe, parse_recipe
from chestxpert.study.ensemble import read_ensembles
from chestxpert.study.external import external_names, read_externals
from chestxpert.study.other_labels import stored_other_labels
from chestxpert.study.plan import COHORT, COMPARISON, PLAN, read_plan, run_folder
from chestxpert.study.pool import shared_out, useful_processes
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.folder import COST, EVALUATION, PREDICTIONS, is_complete


def read_runs(study: Path) -> dict[str, list[RunResult]]:
    """Stored predictions of every run, by recipe; RunError if one is not complete."""
    plan = read_plan(study)
    runs: dict[str, list[RunResult]] = {}
    for name, values in plan["recipes"].items():
        recipe = parse_recipe(yaml.safe_dump(values), origin=name)
        for seed in plan["seeds"]:
            folder = run_folder(study, name, seed)
            if not is_complete(folder):
                raise RunError(
                    f"The run {folder} is not complete. Go on with 'chestxpert compare ... --out {study} --resume'."
                )
            runs.setdefault(name, []).append(_read_run(folder, recipe, seed))
    return runs


def _read_run(folder: Path, recipe: Recipe, seed: int) -> RunResult:
    cost = json.loads((folder / COST).read_text(encoding="utf-8"))
    not_learnt = json.loads((folder / EVALUATION).read_text(encoding="utf-8")).get("not_learnt", ())
    return RunResult(seed, Predictions.stored(folder / PREDICTIONS), recipe.architecture, cost, not_learnt)


def write_comparison(
    study: Path,
    *,
    draws: int = DRAWS,
    margin: float | None = None,
    posthoc: Sequence[Posthoc] | None = None,
    progress: Progress = SILENT,
    threshold: str | None = None,
    subgroups: Sequence[str] | None = None,
    workers: int | None = None,
) -> dict[str, Any]:
    """Compare the stored predictions of a study and write its `comparison.json`; returns what it holds.

    Beside the recipes stand the study's ensembles, and all of these once more with each post-hoc correction; and what
    other tools predicted, as it is.

    Parameters
    ----------
    study : Path
    draws : int
        Bootstrap draws over test patients.
    margin : float, optional
        Largest difference that would not matter, for a test of equivalence; by default the study's own, if it has one.
    posthoc : sequence of Posthoc, optional
        Corrections to show from now on, noted in study.yaml; by default those that it names.
    progress : Progress
    threshold : str, optional
        Rule by which thresholds are chosen on validation; by default the study's own.
    subgroups : sequence of str, optional
        What subgroups are made by; by default the study's own.
    workers : int, optional
        Processes to share the work, which changes no figure; by default as many as are of use.
    """
    plan = read_plan(study)
    cohort = read_cohort(study, plan)
    lines = {**read_runs(study), **read_ensembles(study)}
    if posthoc and not lines:
        raise UsageError(f"{study} has no recipes, and corrections are not applied to what other tools predicted.")
    chosen = [Posthoc.parse(name) for name in plan.get("posthoc", [])] if posthoc is None else list(posthoc)
    # Studies of versions that had one rule alone did not store it.
    rule = ThresholdRule.parse(threshold or plan.get("threshold", str(F1)))
    columns = tuple(subgroups or plan.get("subgroups", DEFAULT))
    partitions(cohort, cohort.rows("test"), columns)  # raises for what there is not, before the long part
    lines = with_posthoc(lines, cohort, chosen) | read_externals(study, plan)
    progress.note(f"comparing on {draws} bootstrap draws over patients")
    runs, images = sum(map(len, lines.values())), len(cohort.rows("test"))
    with shared_out(useful_processes(runs, images, draws) if workers is None else workers) as each:
        comparison = compare_runs(
            lines,
            cohort,
            measured_on(plan, cohort),
            draws=draws,
            margin=plan.get("margin") if margin is None else margin,
            rule=rule,
            subgroups=columns,
            other=stored_other_labels(study),
            each=each,
        )
    if posthoc is not None:
        names = [correction.name for correction in chosen]
        write_text(study / PLAN, yaml.safe_dump({**plan, "posthoc": names}, sort_keys=False, width=100))
    write_json(study / COMPARISON, comparison)
    return comparison


def stored_comparison(study: Path) -> dict[str, Any]:
    """The comparison of a study as it stands, if it is one of the recipes, seeds and other tools that the study has.

    Raises
    ------
    RunError
        If there is none, or the study's recipes, seeds or other tools are others by now.
    """
    plan = read_plan(study)
    try:
        comparison: dict[str, Any] = json.loads((study / COMPARISON).read_text(encoding="utf-8"))
        compared = {
            name: list(values["seeds"])
            for name, values in comparison["recipes"].items()
            if "derived" not in values and "external" not in values
        }
        others = [name for name, values in comparison["recipes"].items() if "external" in values]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{study / COMPARISON} cannot be read ({error}). Leave --redraw out to compare the stored predictions."
        ) from error
    if compared != {name: list(plan["seeds"]) for name in plan["recipes"]}:
        raise RunError(
            f"{study / COMPARISON} compares {_runs_words(compared)}, but study.yaml names {', '.join(plan['recipes'])} "
            f"with the seeds {', '.join(map(str, plan['seeds']))}. Leave --redraw out to compare what is there now."
        )
    there = external_names(study, plan)
    if others != there:
        raise RunError(
            f"{study / COMPARISON} has other tools' predictions called {', '.join(others) or 'nothing'}, but the study "
            f"{', '.join(there) or 'none'}. Leave --redraw out to compare what is there now."
        )
    return comparison


def _runs_words(compared: dict[str, list[int]]) -> str:
    return ", ".join(f"{name} (seeds {', '.join(map(str, seeds))})" for name, seeds in compared.items())


def read_cohort(study: Path, plan: dict[str, Any]) -> Cohort:
    """The cohort that a study was run on; RunError if the one in its folder is another."""
    cohort = Cohort.load(study / COHORT)
    if cohort.fingerprint != plan["cohort_fingerprint"]:
        raise RunError(
            f"{study / COHORT} is not the cohort that this study was run on ({cohort.fingerprint}, but study.yaml says "
            f"{plan['cohort_fingerprint']}). Put the right one back."
        )
    return cohort


def measured_on(plan: dict[str, Any], cohort: Cohort) -> Taxonomy:
    """The tree that the study's recipes are measured on, as stored: its file may have changed or gone since."""
    if "taxonomies" in plan:
        return Taxonomy.from_dict(plan["taxonomies"][plan["measured_on"]])
    # Studies of versions that had one tree alone did not store it.
    return cohort_taxonomy(next(iter(plan["recipes"].values()))["taxonomy"], cohort)
