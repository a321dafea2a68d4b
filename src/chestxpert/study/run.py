"""Run a study: train what is not trained yet, then compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.dataset import Dataset
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.evaluation.partitions import DEFAULT, partitions
from chestxpert.evaluation.threshold_rules import F1
from chestxpert.files import begin_or_go_on, removed_if_left_empty, sweep_parts, write_text
from chestxpert.folders import locked
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe
from chestxpert.study.plan import COHORT, PLAN, StudyPlan, listed, read_plan
from chestxpert.study.side_by_side import train_side_by_side, useful_workers
from chestxpert.study.stored import write_comparison
from chestxpert.study.times import add_missing_times
from chestxpert.study.worker import Training
from chestxpert.training.check import check_recipe
from chestxpert.training.estimate import estimate_fine_tuning
from chestxpert.training.folder import is_complete
from chestxpert.training.kits import Kits, describe_starts
from chestxpert.training.run import train_run

Runs = list[tuple[Recipe, int, Path]]

SLOW = 60.0
"""Seconds of fine-tuning from which on a study without a GPU says beforehand what it will cost."""


def run_study(
    plan: StudyPlan,
    out: Path,
    *,
    resume: bool = False,
    draws: int = DRAWS,
    workers: int | None = 1,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Train what is not trained yet, compare, and write `comparison.json`; returns the comparison.

    Parameters
    ----------
    plan : StudyPlan
    out : Path
    resume : whether `out` may hold the beginning of this study
    draws : bootstrap draws over patients
    workers : processes that train heads on cached features side by side, and that share the comparison, which changes
        no result; None chooses. On a
        GPU, and where the whole network is trained, runs follow one another.
    progress : Progress

    Raises
    ------
    UsageError
        If several processes are asked for where no recipe keeps its backbone fixed.
    RunError
        If `out` is in the way, or holds another study than the one to be resumed, or a process died.
    """
    if workers is not None and workers > 1 and not any(recipe.freeze for recipe in plan.recipes):
        raise UsageError(
            f"{workers} processes were asked for, but only heads on cached features are trained side by side: training "
            "a whole network uses all cores by itself. Leave --workers out, or add --freeze."
        )
    dataset = Dataset.load(plan.dataset)
    for recipe in plan.recipes:
        check_recipe(recipe, dataset.cohort, plan.seeds[0])
    plan.trees(dataset.cohort)  # raises for one that there is not, before anything is made
    partitions(dataset.cohort, dataset.cohort.rows("test"), plan.subgroups)  # and so does this
    stored = read_plan(out) if begin_or_go_on(out, PLAN, [COHORT], resume=resume) else None
    busy = f"Another process is working on {out} right now. Wait for it, or choose another --out."
    with removed_if_left_empty(out), locked(out, busy):
        sweep_parts(out)
        kits = _open_study(plan, dataset, out, stored, progress)
        _warn_if_slow(plan, kits, out, progress)
        todo = [run for run in plan.runs(out) if not is_complete(run[2])]
        if len(todo) < len(plan.runs(out)):
            progress.note(f"resuming: {len(plan.runs(out)) - len(todo)} of {len(plan.runs(out))} runs are complete")
        _train(todo, dataset, kits, workers, progress)
        add_missing_times(plan.runs(out), dataset, kits, progress)
        return write_comparison(out, draws=draws, progress=progress, workers=workers)


def _train(todo: Runs, dataset: Dataset, kits: Kits, workers: int | None, progress: Progress) -> None:
    """Train runs: heads on cached features side by side if there are several processes, all others one by one."""
    beside = [run for run in todo if run[0].freeze and kits.device == "cpu"]
    count = useful_workers(len(beside)) if workers is None else workers
    if count == 1:
        beside = []
    starts = {recipe.name: _start_with_features(recipe, dataset, kits) for recipe, *_ in beside}
    with progress.bar("study", len(todo), unit="run") as tick:
        if beside:
            trainings = [Training(recipe, seed, folder, starts[recipe.name]) for recipe, seed, folder in beside]
            train_side_by_side(trainings, dataset.folder, count, progress, tick)
        for recipe, seed, folder in todo:
            if (recipe, seed, folder) not in beside:
                train_run(recipe, dataset, folder, seed=seed, resume=folder.exists(), kit=kits, progress=progress)
                tick(1)


def _start_with_features(recipe: Recipe, dataset: Dataset, kits: Kits) -> dict[str, Any]:
    """What the recipe's networks start from; their features are cached afterwards, so that others find them whole."""
    of_networks = kits.of_networks(recipe, cohort_taxonomy(recipe.taxonomy, dataset.cohort))
    for name, kit in of_networks.items():
        kit.source(recipe.network(name))
    return describe_starts(of_networks)


def _open_study(
    plan: StudyPlan, dataset: Dataset, out: Path, stored: dict[str, Any] | None, progress: Progress
) -> Kits:
    """Write study.yaml, or check the stored one against this plan; returns the kits that the recipes share."""
    values, trees = listed(plan.to_dict(dataset.cohort)), plan.trees(dataset.cohort)
    if stored is not None:
        # Studies of versions that had one rule, one set of subgroups and no margin did not store them.
        stored = {"threshold": str(F1), "subgroups": list(DEFAULT), "margin": None} | stored
        _check_same(stored, values, ("threshold", "subgroups", "margin"), out)
        _check_same(stored, values, ("recipes", "seeds", "cohort_fingerprint", "measured_on", "taxonomies"), out)
        if plan.posthoc is not None and values["posthoc"] != stored.get("posthoc", []):
            raise RunError(
                f"{out} holds a study with other post-hoc corrections. Resume without --posthoc, and then change them "
                f"with 'chestxpert report {out} --posthoc NAME', which trains nothing."
            )
    kits, starts = Kits(dataset, progress), {}
    for recipe in plan.recipes:
        # A resumed study keeps the backbones it began with, whatever 'auto' would find today.
        begun = None if stored is None else stored["start"][recipe.name]
        starts[recipe.name] = describe_starts(kits.of_networks(recipe, trees[recipe.taxonomy], begun))
    values["prepared"] = {key: dataset.info.get(key) for key in ("source", "arguments", "split")}
    if "oversample" in dataset.info:
        made = dataset.info["oversample"]
        values["prepared"]["oversample"] = {"dataset": made["dataset"]["path"], "arguments": made["arguments"]}
    values["start"] = starts
    if stored is not None:
        _check_same(stored, values, ("start",), out)
    else:
        dataset.cohort.save(out / COHORT)
        write_text(out / PLAN, yaml.safe_dump(values, sort_keys=False, width=100))
    return kits


def _check_same(stored: dict[str, Any], values: dict[str, Any], keys: tuple[str, ...], out: Path) -> None:
    for key in keys:
        if stored.get(key) != values[key]:
            what = {
                "start": "weights, pixels or number format to start from",
                "measured_on": "tree to measure on",
                "threshold": "rule for thresholds",
                "margin": "margin of equivalence",
            }.get(key, key.replace("_", " "))
            raise RunError(
                f"{out} holds a study with other {what}: compare its {PLAN}. "
                "Resume with the same command and data, or choose another --out."
            )


def _warn_if_slow(plan: StudyPlan, kits: Kits, out: Path, progress: Progress) -> None:
    """Without a GPU, say beforehand how long fine-tuning will take, and which flag makes it short."""
    todo = [recipe for recipe, _, folder in plan.runs(out) if not is_complete(folder) and not recipe.freeze]
    if not todo or kits.device != "cpu":
        return
    seconds = estimate_fine_tuning(todo, kits)
    if seconds >= SLOW:
        progress.note(
            f"fine-tuning {len(todo)} runs on this CPU will take up to {duration(seconds)}; "
            "--freeze trains heads on cached features instead, in minutes"
        )


def duration(seconds: float) -> str:
    """A time as a person says it: '40 s', '12 min', '3 h 05 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
