"""Reads a study folder: the comparison, the cohort's copy and every run. Nothing else is ever looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chestxpert.cohort.table import Cohort
from chestxpert.errors import RunError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.report.results import Results
from chestxpert.strict_yaml import read_stored
from chestxpert.study.external import EXTERNAL, read_externals


@dataclass(frozen=True, eq=False)
class RunFolder:
    """One finished run as stored.

    Attributes
    ----------
    recipe_text : str
        Its recipe.yaml.
    environment, cost : mapping
        Its environment.json and cost.json.
    history : list of mapping
        The lines of metrics.jsonl.
    predictions : Predictions
    """

    recipe_text: str
    environment: Mapping[str, Any]
    cost: Mapping[str, Any]
    history: list[Mapping[str, Any]]
    predictions: Predictions


@dataclass(frozen=True, eq=False)
class StudyFolder:
    """A compared study as stored: its settings, cohort, results, and its runs by recipe and seed.

    `externals` are the predictions of other tools, by name one a seed.
    """

    folder: Path
    settings: Mapping[str, Any]
    cohort: Cohort
    results: Results
    runs: Mapping[str, Mapping[int, RunFolder]]
    externals: Mapping[str, Sequence[Predictions]] = field(default_factory=dict)

    def predictions(self, name: str) -> list[Predictions]:
        """Of each seed of a recipe, or of another tool."""
        return (
            list(self.externals[name]) if name in self.externals else [r.predictions for r in self.runs[name].values()]
        )


def read_study(folder: Path) -> StudyFolder:
    """Everything a report needs from a study folder.

    Parameters
    ----------
    folder : Path
        With study.yaml, cohort.parquet, comparison.json and runs/RECIPE/seed-K/.

    Returns
    -------
    StudyFolder

    Raises
    ------
    RunError
        If a part is missing or unreadable, or belongs to another cohort; the message says which.
    """
    folder = Path(folder)
    if not (folder / "study.yaml").is_file():
        raise RunError(
            f"{folder} is no study: it has no study.yaml. Give the folder that `chestxpert compare --out` made."
        )
    settings = _yaml(folder / "study.yaml")
    results = Results(_json(folder / "comparison.json"))
    cohort = Cohort.load(_there(folder / "cohort.parquet"))
    told = results.comparison["cohort"].get("fingerprint")
    if told is not None and told != cohort.fingerprint:
        raise RunError(
            f"The comparison in {folder} was made for cohort {told}, but the cohort beside it is {cohort.fingerprint}. "
            "Run `chestxpert compare --resume` to compare again."
        )
    runs = {
        name: {seed: read_run(folder / "runs" / name / f"seed-{seed}") for seed in results.seeds(name)}
        for name in results.recipes
    }
    stored = read_externals(folder, settings) if results.externals else {}
    lost = [name for name in results.externals if name not in stored]
    if lost:
        raise RunError(f"The predictions of {', '.join(lost)} are not in {folder / EXTERNAL} any more. Add them again.")
    externals = {name: [run.predictions for run in stored[name]] for name in results.externals}
    return StudyFolder(folder, settings, cohort, results, runs, externals)


def read_run(folder: Path) -> RunFolder:
    """One run's folder; RunError names the file that is missing or unreadable."""
    lines = _there(folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return RunFolder(
        recipe_text=_there(folder / "recipe.yaml").read_text(encoding="utf-8"),
        environment=_json(folder / "environment.json"),
        cost=_json(folder / "cost.json"),
        history=[_parsed(line, folder / "metrics.jsonl") for line in lines if line.strip()],
        predictions=Predictions.stored(_there(folder / "predictions.parquet")),
    )


def _there(path: Path) -> Path:
    if not path.is_file():
        raise RunError(
            f"There is no {path.name} in {path.parent}. The study may be unfinished: run `chestxpert compare --resume` "
            "with the same folder, which does only what is missing."
        )
    return path


def _json(path: Path) -> Mapping[str, Any]:
    return _parsed(_there(path).read_text(encoding="utf-8"), path)


def _parsed(text: str, path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise RunError(f"{path} is not readable JSON ({error}). Was it cut off? Make the run again.") from error
    if not isinstance(values, dict):
        raise RunError(f"{path} holds a {type(values).__name__} where an object was expected. Make the run again.")
    return values


def _yaml(path: Path) -> Mapping[str, Any]:
    try:
        values = read_stored(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RunError(f"{path} is not readable YAML ({error}).") from error
    if not isinstance(values, dict):
        raise RunError(f"{path} holds no settings. Run `chestxpert compare` into a new folder.")
    return values
