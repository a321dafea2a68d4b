"""What `chestxpert ensemble` does: one prediction of a study's recipes, or of runs that stand alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.ensemble import Average
from chestxpert.evaluation.measured_runs import RunResult
from chestxpert.study.ensemble import ENSEMBLES, Member, make_ensemble
from chestxpert.study.external import EXTERNAL
from chestxpert.study.plan import read_plan
from chestxpert.study.stored import measured_on, read_cohort, read_runs
from chestxpert.training.folder import COST
from chestxpert.training.stored_run import StoredRun, own_data, read_run


def ensemble_study(
    study: Path, recipes: Sequence[str] = (), *, name: str | None = None, average: Average = "probs"
) -> Path:
    """Make one prediction of all seeds of some recipes of a study, or of all; returns its folder.

    Parameters
    ----------
    study : Path
        Whose runs are complete.
    recipes : sequence of str
        All by default.
    name : str, optional
        Of the ensemble; ``RECIPE-x3`` for three seeds of one recipe, ``ensemble-x6`` for six runs of several.
    average : {"probs", "logits", "ranks"}

    Raises
    ------
    UsageError
        If the study has no such recipe, the name cannot be one, or there is but one member.
    RunError
        If a run is not complete, or there is an ensemble of that name already.
    """
    plan = read_plan(study)
    runs = read_runs(study)
    unknown = [recipe for recipe in recipes if recipe not in runs]
    if unknown or len(set(recipes)) < len(recipes):
        wrong = f"no recipe '{unknown[0]}'" if unknown else "each recipe once"
        raise UsageError(f"{study} has {wrong}. Its recipes: {', '.join(runs)}.")
    members = [Member(recipe, run.seed, run) for recipe in recipes or runs for run in runs[recipe]]
    if len(members) < 2:
        there = f"one run of {members[0].recipe}" if members else "none that was trained"
        raise UsageError(f"An ensemble has at least two members, but there is {there}.")
    name = name or f"{recipes[0] if len(recipes) == 1 else 'ensemble'}-x{len(members)}"
    safe = all(sign.isalnum() or sign in "-_." for sign in name) and name[0] != "."
    if not safe or name in runs or (study / EXTERNAL / name).exists():
        raise UsageError(
            f"An ensemble's name is letters, digits, '-', '_' and '.', and no recipe's or other tool's; got '{name}'."
        )
    out, cohort = study / ENSEMBLES / name, read_cohort(study, plan)
    make_ensemble(members, cohort, measured_on(plan, cohort), out, average)
    return out


def ensemble_runs(
    folders: Sequence[Path], out: Path, *, average: Average = "probs", data: Path | None = None
) -> dict[str, Any]:
    """Make an ensemble of finished runs that learnt from one data set.

    Parameters
    ----------
    folders : run folders
    out : a new folder
    average : {"probs", "logits", "ranks"}
    data : Path, optional
        The dataset folder that the runs learnt from, if it has moved.

    Raises
    ------
    UsageError
        If a run is named twice.
    RunError
        If a run is not finished, two learnt from different data, or that data cannot be found.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UsageError("A run is named twice, and would count twice. Name each member once.")
    runs = [read_run(folder) for folder in folders]
    prints = {run.environment["cohort_fingerprint"] for run in runs}
    if len(prints) > 1:
        raise RunError(f"The runs learnt from {len(prints)} different data sets ({', '.join(sorted(prints))}).")
    own = own_data(runs[0], data, Path(runs[0].environment["dataset"]))
    if own is None:
        raise RunError(f"The data set of {folders[0]} is not where it was. Name its folder with --data.")
    trees = [run.tree for run in runs]
    tree = trees[0] if all(each == trees[0] for each in trees) else cohort_taxonomy("study", own.cohort)
    return make_ensemble([_member(run) for run in runs], own.cohort, tree, out, average)


def _member(run: StoredRun) -> Member:
    cost = json.loads((run.folder / COST).read_text(encoding="utf-8"))
    seed = int(run.environment["seed"])
    result = RunResult(seed, run.predictions, run.recipe.architecture, cost, run.not_learnt)
    return Member(run.recipe.name, seed, result)
