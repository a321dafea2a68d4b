"""Run a study: train what is not trained yet, then compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.files import begin_or_go_on, write_text
from chestxpert.progress import SILENT, Progress
from chestxpert.study.plan import COHORT, PLAN, StudyPlan, listed, read_plan
from chestxpert.study.stored import write_comparison
from chestxpert.training.estimate import estimate_fine_tuning
from chestxpert.training.folder import is_complete
from chestxpert.training.networks import NetworkKit
from chestxpert.training.run import train_run

SLOW = 60.0
"""Seconds of fine-tuning from which on a study without a GPU says beforehand what it will cost."""


def run_study(
    plan: StudyPlan, out: Path, *, resume: bool = False, draws: int = 1000, progress: Progress = SILENT
) -> dict[str, Any]:
    """Train what is not trained yet, compare, and write `comparison.json`; returns the comparison.

    Raises
    ------
    RunError
        If `out` is in the way, or holds another study than the one to be resumed.
    """
    dataset = Dataset.load(plan.dataset)
    kits = _open_study(plan, dataset, out, resume, progress)
    _warn_if_slow(plan, kits, out, progress)
    todo = [run for run in plan.runs(out) if not is_complete(run[2])]
    if len(todo) < len(plan.runs(out)):
        progress.note(f"resuming: {len(plan.runs(out)) - len(todo)} of {len(plan.runs(out))} runs are complete")
    with progress.bar("study", len(todo), unit="run") as tick:
        for recipe, seed, folder in todo:
            kit = kits[NetworkKit.shared_key(recipe)]
            train_run(recipe, dataset, folder, seed=seed, resume=folder.exists(), kit=kit, progress=progress)
            tick(1)
    return write_comparison(out, draws=draws, progress=progress)


def _open_study(
    plan: StudyPlan, dataset: Dataset, out: Path, resume: bool, progress: Progress
) -> dict[tuple[object, ...], NetworkKit]:
    """Make `out` or check that it holds this study; returns the kit of each group of recipes."""
    stored = read_plan(out) if begin_or_go_on(out, PLAN, [COHORT], resume=resume) else None
    kits: dict[tuple[object, ...], NetworkKit] = {}
    for recipe in plan.recipes:
        key = NetworkKit.shared_key(recipe)
        if key not in kits:
            # A resumed study keeps the backbone it began with, whatever 'auto' would find today.
            begun_with = (stored or {}).get("backbones", {}).get(recipe.name)
            kits[key] = NetworkKit.create(recipe, dataset, progress, backbone_name=begun_with)
    backbones = {recipe.name: kits[NetworkKit.shared_key(recipe)].backbone.name for recipe in plan.recipes}
    values = plan.to_dict(backbones, dataset.cohort.fingerprint)
    if stored is not None:
        _check_same_study(stored, values, out)
    else:
        dataset.cohort.save(out / COHORT)
        write_text(out / PLAN, yaml.safe_dump(listed(values), sort_keys=False, width=100))
    return kits


def _check_same_study(stored: dict[str, Any], values: dict[str, Any], out: Path) -> None:
    for key in ("recipes", "seeds", "cohort_fingerprint", "backbones"):
        if stored.get(key) != listed(values)[key]:
            raise RunError(
                f"{out} holds a study with other {key.replace('_', ' ')}: compare its {PLAN}. "
                "Resume with the same command, or choose another --out."
            )


def _warn_if_slow(plan: StudyPlan, kits: dict[tuple[object, ...], NetworkKit], out: Path, progress: Progress) -> None:
    """Without a GPU, say beforehand how long fine-tuning will take, and which flag makes it short."""
    left = [(recipe, seed) for recipe, seed, folder in plan.runs(out) if not is_complete(folder) and not recipe.freeze]
    kit = next(iter(kits.values()))
    if not left or kit.engine.device.type != "cpu":
        return
    estimate = estimate_fine_tuning([recipe for recipe, _ in left], 1, kit)
    if estimate.seconds >= SLOW:
        progress.note(
            f"fine-tuning {len(left)} runs on this CPU will take up to {duration(estimate.seconds)} "
            f"({estimate.images_a_second:.0f} images/s); --freeze trains heads on cached features instead, in minutes"
        )


def duration(seconds: float) -> str:
    """A time as a person says it: '40 s', '12 min', '3 h 05 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
