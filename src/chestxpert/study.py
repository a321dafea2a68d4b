"""A Study: several recipes times several seeds on one data set, and their comparison, in one folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chestxpert.cohort.table import Cohort
from chestxpert.dataset import Dataset
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.comparison import RunResult as EvaluatedRun
from chestxpert.evaluation.comparison import compare_runs
from chestxpert.evaluation.predictions import Predictions
from chestxpert.files import begin_or_go_on, write_json, write_text
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe, builtin_recipes, load_recipe, parse_recipe
from chestxpert.taxonomy import taxonomy
from chestxpert.training.estimate import estimate_fine_tuning
from chestxpert.training.networks import NetworkKit
from chestxpert.training.run import is_complete, train_run

PLAN = "study.yaml"
COHORT = "cohort.parquet"
SLOW = 60.0
"""Seconds of fine-tuning from which on a study without a GPU says beforehand what it will cost."""


@dataclass(frozen=True)
class StudyPlan:
    """What a study runs.

    Attributes
    ----------
    dataset : folder made by `chestxpert data prepare`
    recipes : with all overrides applied
    seeds : one run a recipe and seed
    command : the command line that asked for it, for the record
    """

    dataset: Path
    recipes: tuple[Recipe, ...]
    seeds: tuple[int, ...]
    command: str = ""

    def __post_init__(self) -> None:
        names = [recipe.name for recipe in self.recipes]
        if not names or len(set(names)) != len(names):
            raise UsageError(f"A study needs recipes of different names, but got {', '.join(names) or 'none'}.")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise UsageError(f"A study needs different seeds, but got {list(self.seeds)}.")

    def runs(self, out: Path) -> list[tuple[Recipe, int, Path]]:
        """Recipe, seed and folder of each run, seed by seed so that an early look compares like with like."""
        return [(recipe, seed, run_folder(out, recipe.name, seed)) for seed in self.seeds for recipe in self.recipes]

    def to_dict(self, backbones: dict[str, str], cohort_fingerprint: str) -> dict[str, Any]:
        """Plain values for study.yaml."""
        return {
            "schema": 1,
            "dataset": str(self.dataset),
            "cohort_fingerprint": cohort_fingerprint,
            "command": self.command,
            "seeds": list(self.seeds),
            "backbones": backbones,
            "recipes": {recipe.name: recipe.to_dict() for recipe in self.recipes},
        }


def run_folder(study: Path, recipe: str, seed: int) -> Path:
    """Where a study keeps the run of a recipe with a seed."""
    return study / "runs" / recipe / f"seed-{seed}"


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
        write_text(out / PLAN, yaml.safe_dump(_listed(values), sort_keys=False, width=100))
    return kits


def _listed(value: Any) -> Any:
    """`value` with tuples as lists, as JSON and YAML know them."""
    return json.loads(json.dumps(value))


def _check_same_study(stored: dict[str, Any], values: dict[str, Any], out: Path) -> None:
    for key in ("recipes", "seeds", "cohort_fingerprint", "backbones"):
        if stored.get(key) != _listed(values)[key]:
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


def read_plan(study: Path) -> dict[str, Any]:
    """Values of a study's study.yaml."""
    try:
        values = yaml.safe_load((study / PLAN).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RunError(f"{study} holds no study ({error}). Make one with 'chestxpert compare'.") from error
    if not isinstance(values, dict) or values.get("schema") != 1:
        raise RunError(f"{study / PLAN} is of another version of ChestXpert than this one (schema 1).")
    return values


def read_runs(study: Path) -> dict[str, list[EvaluatedRun]]:
    """Stored predictions of every complete run, by recipe; RunError if a recipe has none."""
    plan = read_plan(study)
    runs: dict[str, list[EvaluatedRun]] = {}
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


def _read_run(folder: Path, recipe: Recipe, seed: int) -> EvaluatedRun:
    cost = json.loads((folder / "cost.json").read_text(encoding="utf-8"))
    return EvaluatedRun(seed, Predictions.load(folder / "predictions.parquet"), recipe.architecture, cost)


def write_comparison(study: Path, *, draws: int = 1000, progress: Progress = SILENT) -> dict[str, Any]:
    """Compare the stored predictions of a study and write its `comparison.json`; returns what it holds."""
    plan = read_plan(study)
    cohort = Cohort.load(study / COHORT)
    tree = taxonomy(next(iter(plan["recipes"].values()))["taxonomy"], cohort.label_space)
    progress.note(f"comparing on {draws} bootstrap draws over patients")
    comparison = compare_runs(read_runs(study), cohort, tree, draws=draws)
    write_json(study / "comparison.json", comparison)
    return comparison


def load_recipes(names: Sequence[str], overrides: Sequence[str], freeze: bool) -> tuple[Recipe, ...]:
    """Recipes by name or path, or all that come with ChestXpert if none is named."""
    frozen = ["freeze=true"] if freeze else []
    return tuple(load_recipe(name, [*overrides, *frozen]) for name in (names or list(builtin_recipes())))
