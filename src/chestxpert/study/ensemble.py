"""Ensembles on disk: members from stored runs, and a folder like a run's that holds what they say together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chestxpert.cohort.table import Cohort
from chestxpert.errors import RunError
from chestxpert.evaluation.derived import Derived
from chestxpert.evaluation.ensemble import Average, architecture_of, average_predictions, total_cost
from chestxpert.evaluation.measured_runs import RunResult
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import evaluate_run
from chestxpert.files import write_json
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.folder import COST, ENSEMBLE, EVALUATION, PREDICTIONS, is_complete

ENSEMBLES = "ensembles"
SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Member:
    """One run that an ensemble is made of."""

    recipe: str
    seed: int
    run: RunResult


def make_ensemble(
    members: Sequence[Member], cohort: Cohort, tree: Taxonomy, out: Path, average: Average
) -> dict[str, Any]:
    """Average the members' stored predictions and evaluate the result; returns what ``evaluation.json`` holds.

    Writes ``predictions.parquet``, ``cost.json`` (the sum of the members'), ``ensemble.json`` (how, and of whom) and
    last ``evaluation.json``.

    Raises
    ------
    RunError
        If there is something at `out` that is no unfinished ensemble.
    """
    if out.exists() and (is_complete(out) or not out.is_dir() or not _only_parts(out)):
        raise RunError(f"{out} exists already and is never overwritten. Choose another name or --out.")
    stored = [member.run.predictions for member in members]
    predictions = average_predictions(stored, cohort, average)
    not_learnt = dict.fromkeys(label for member in members for label in member.run.not_learnt)
    about = {
        "schema": SCHEMA,
        "average": average,
        "architecture": architecture_of([member.run.architecture for member in members], predictions.taxonomy),
        "members": [{"recipe": member.recipe, "seed": member.seed} for member in members],
        "not_learnt": list(not_learnt),
    }
    evaluation = evaluate_run(predictions, cohort, tree, list(not_learnt))
    predictions.save(out / PREDICTIONS)
    write_json(out / COST, total_cost([member.run.cost for member in members]))
    write_json(out / ENSEMBLE, about)
    write_json(out / EVALUATION, evaluation)
    return evaluation


def _only_parts(out: Path) -> bool:
    """Whether `out` holds nothing but what a killed call may have left."""
    return all(path.name in (PREDICTIONS, COST, ENSEMBLE) or path.suffix == ".part" for path in out.iterdir())


def read_ensembles(study: Path) -> dict[str, list[RunResult]]:
    """The finished ensembles of a study by name, each as a line of one run."""
    folders = sorted(path for path in (study / ENSEMBLES).glob("*") if is_complete(path))
    return {folder.name: [_read_ensemble(folder)] for folder in folders}


def _read_ensemble(folder: Path) -> RunResult:
    try:
        about = json.loads((folder / ENSEMBLE).read_text(encoding="utf-8"))
        cost = json.loads((folder / COST).read_text(encoding="utf-8"))
        of = tuple(dict.fromkeys(str(member["recipe"]) for member in about["members"]))
        record = {key: about[key] for key in ("average", "members")}
        return RunResult(
            seed=0,
            predictions=Predictions.load(folder / PREDICTIONS),
            architecture=about["architecture"],
            cost=cost,
            not_learnt=about["not_learnt"],
            derived=Derived("ensemble", of, record),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"The ensemble in {folder} cannot be read ({error!r}). Delete it and make it again.") from error
