"""Run a study: train what is not trained yet, then compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.evaluation.partitions import DEFAULT, partitions
from chestxpert.evaluation.threshold_rules import F1
from chestxpert.evaluation.uncertainty.smallest import checked_margin
from chestxpert.files import begin_or_go_on, removed_if_left_empty, sweep_parts, write_text
from chestxpert.folders import locked
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe
from chestxpert.study.plan import COHORT, PLAN, StudyPlan, listed, read_plan
from chestxpert.study.stored import write_comparison
from chestxpert.training.check import check_recipe
from chestxpert.training.estimate import estimate_fine_tuning
from chestxpert.training.folder import is_complete
from chestxpert.training.networks import NetworkKit
from chestxpert.training.run import train_run

Kits = dict[tuple[object, ...], NetworkKit]

SLOW = 60.0
"""Seconds of fine-tuning from which on a study without a GPU says beforehand what it will cost."""


def run_study(
    plan: StudyPlan,
    out: Path,
    *,
    resume: bool = False,
    draws: int = DRAWS,
    margin: float | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Train what is not trained yet, compare, and write `comparison.json`; returns the comparison.

    Raises
    ------
    RunError
        If `out` is in the way, or holds another study than the one to be resumed.
    PredictionsError
        If the margin of equivalence is none; before anything is trained.
    """
    checked_margin(margin)
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
        with progress.bar("study", len(todo), unit="run") as tick:
            for recipe, seed, folder in todo:
                kit = kits[NetworkKit.shared_key(recipe)]
                train_run(recipe, dataset, folder, seed=seed, resume=folder.exists(), kit=kit, progress=progress)
                tick(1)
        return write_comparison(out, draws=draws, margin=margin, progress=progress)


def _open_study(
    plan: StudyPlan, dataset: Dataset, out: Path, stored: dict[str, Any] | None, progress: Progress
) -> Kits:
    """Write study.yaml, or check the stored one against this plan; returns the kit of each group of recipes."""
    values = listed(plan.to_dict(dataset.cohort))
    if stored is not None:
        # Studies of versions that had one rule and one set of subgroups alone did not store them.
        stored = {"threshold": str(F1), "subgroups": list(DEFAULT)} | stored
        _check_same(stored, values, ("threshold", "subgroups"), out)
        _check_same(stored, values, ("recipes", "seeds", "cohort_fingerprint", "measured_on", "taxonomies"), out)
        if plan.posthoc is not None and values["posthoc"] != stored.get("posthoc", []):
            raise RunError(
                f"{out} holds a study with other post-hoc corrections. Resume without --posthoc, and then change them "
                f"with 'chestxpert report {out} --posthoc NAME', which trains nothing."
            )
    kits: Kits = {}
    for recipe in plan.recipes:
        key = NetworkKit.shared_key(recipe)
        if key not in kits:
            # A resumed study keeps the backbone it began with, whatever 'auto' would find today.
            begun_with = None if stored is None else stored["start"][recipe.name]["backbone"]
            kits[key] = NetworkKit.create(recipe, dataset, progress, backbone_name=begun_with)
    values["prepared"] = {key: dataset.info.get(key) for key in ("source", "arguments")}
    if "oversample" in dataset.info:
        made = dataset.info["oversample"]
        values["prepared"]["oversample"] = {"dataset": made["dataset"]["path"], "arguments": made["arguments"]}
    values["start"] = {recipe.name: kits[NetworkKit.shared_key(recipe)].describe_start() for recipe in plan.recipes}
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
            }.get(key, key.replace("_", " "))
            raise RunError(
                f"{out} holds a study with other {what}: compare its {PLAN}. "
                "Resume with the same command and data, or choose another --out."
            )


def _warn_if_slow(plan: StudyPlan, kits: Kits, out: Path, progress: Progress) -> None:
    """Without a GPU, say beforehand how long fine-tuning will take, and which flag makes it short."""
    groups: dict[tuple[object, ...], list[Recipe]] = {}
    for recipe, _, folder in plan.runs(out):
        if not is_complete(folder) and not recipe.freeze:
            groups.setdefault(NetworkKit.shared_key(recipe), []).append(recipe)
    if not groups or kits[next(iter(groups))].engine.device.type != "cpu":
        return
    seconds = sum(estimate_fine_tuning(recipes, kits[key]) for key, recipes in groups.items())
    if seconds >= SLOW:
        progress.note(
            f"fine-tuning {sum(map(len, groups.values()))} runs on this CPU will take up to {duration(seconds)}; "
            "--freeze trains heads on cached features instead, in minutes"
        )


def duration(seconds: float) -> str:
    """A time as a person says it: '40 s', '12 min', '3 h 05 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
