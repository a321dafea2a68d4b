"""A Run: one recipe, one seed, one data set, and the folder that holds all that came of it.

The folder is complete when `evaluation.json` is there, which is written last.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import evaluate_run
from chestxpert.files import begin_or_go_on, write_json, write_text
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import Taxonomy, taxonomy
from chestxpert.training.checkpoints import Checkpoints
from chestxpert.training.environment import describe_environment
from chestxpert.training.folder import (
    CHECKPOINTS,
    COST,
    ENVIRONMENT,
    EVALUATION,
    METRICS,
    PREDICTIONS,
    RECIPE,
    is_complete,
)
from chestxpert.training.loop import EpochLine, FitState
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.task import FloatArray, sigmoid, tasks_for


@dataclass(frozen=True)
class RunResult:
    """Where a run lies, and its evaluation as in `evaluation.json`."""

    folder: Path
    evaluation: dict[str, Any]


def train_run(
    recipe: Recipe,
    dataset: Dataset,
    out: Path,
    *,
    seed: int = 0,
    resume: bool = False,
    kit: NetworkKit | None = None,
    progress: Progress = SILENT,
) -> RunResult:
    """Train, predict and evaluate one recipe.

    Parameters
    ----------
    recipe, dataset, seed : what decides the result; the same three on the same machine give the same predictions
    out : a new folder, or with `resume` one that an interrupted call left
    kit : backbone and features shared with other runs of a study; None makes them

    Raises
    ------
    RunError
        If `out` is in the way, or holds another run than the one to be resumed.
    """
    tree = taxonomy(recipe.taxonomy, dataset.cohort.label_space)
    kit = kit or NetworkKit.create(recipe, dataset, progress)
    environment = describe_environment(dataset, kit, seed)
    if _open_folder(out, recipe, environment, resume):
        return RunResult(out, json.loads((out / EVALUATION).read_text(encoding="utf-8")))
    logits = _train_networks(recipe, dataset, tree, out, seed, kit, progress)
    predictions = _predictions(recipe, dataset, tree, logits)
    predictions.save(out / PREDICTIONS)
    evaluation = evaluate_run(predictions, dataset.cohort, tree)
    write_json(out / EVALUATION, evaluation)
    for leftover in (out / CHECKPOINTS / "last").glob("*.pt"):
        leftover.unlink()  # only needed to go on, and several times the size of the weights
    return RunResult(out, evaluation)


def _open_folder(out: Path, recipe: Recipe, environment: dict[str, Any], resume: bool) -> bool:
    """Make `out`, or check that it holds this very run; returns whether that run is complete."""
    if begin_or_go_on(out, ENVIRONMENT, [RECIPE], resume=resume):
        _check_same_run(out, recipe, environment)
        return is_complete(out)
    write_text(out / RECIPE, recipe.to_yaml())
    write_json(out / ENVIRONMENT, environment)
    return False


def _check_same_run(out: Path, recipe: Recipe, environment: dict[str, Any]) -> None:
    try:
        stored_recipe = (out / RECIPE).read_text(encoding="utf-8")
        stored = json.loads((out / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{out} holds no run that could be resumed ({error}). Choose another --out.") from error
    if stored_recipe != recipe.to_yaml():
        raise RunError(
            f"{out} holds a run of a different recipe or with different settings: compare its recipe.yaml. "
            "Resume with the same, or choose another --out."
        )
    for key in ("seed", "cohort_fingerprint", "pixels_fingerprint"):
        _check_equal(out, key.replace("_", " "), stored.get(key), environment[key])
    was, now = stored.get("backbone", {}), environment["backbone"]
    _check_equal(out, "backbone", was.get("name"), now["name"])
    _check_equal(out, "fingerprint of starting weights", was.get("weights_fingerprint"), now["weights_fingerprint"])


def _check_equal(out: Path, what: str, was: object, now: object) -> None:
    if was != now:
        raise RunError(f"{out} holds a run with another {what} ({was}, now {now}). Choose another --out.")


def _train_networks(
    recipe: Recipe, dataset: Dataset, tree: Taxonomy, out: Path, seed: int, kit: NetworkKit, progress: Progress
) -> list[FloatArray]:
    """Train the recipe's networks one after the other; returns each one's logits on the val and test rows."""
    cohort = dataset.cohort
    evaluated = np.concatenate([cohort.rows("val"), cohort.rows("test")])
    logits: list[FloatArray] = []
    lines: list[EpochLine] = []
    cost: dict[str, float] = {"parameters": 0, "train_seconds": 0.0, "train_image_passes": 0, "ms_per_image": 0.0}
    networks = []
    for task in tasks_for(recipe, cohort.labels(), cohort.label_space, tree):
        rows = training_rows(recipe, cohort, task.eligible, seed)
        trainer = kit.trainer(recipe, task, rows, seed)
        total = len(rows) * recipe.epochs
        with progress.bar(f"{recipe.name} seed {seed}: network {task.name}", total) as tick:
            kept = Checkpoints(out / CHECKPOINTS, task.name)
            done = trainer.fit(kept, partial(_write_lines, out, tuple(lines)), tick)
        _write_lines(out, lines, done)
        lines += done.lines
        logits.append(trainer.predict(evaluated).astype(np.float64))
        networks.append(trainer.network)
        cost["train_seconds"] += round(done.seconds, 3)
        cost["train_image_passes"] += done.image_passes
    cost["parameters"] = kit.count_parameters(networks)
    cost["ms_per_image"] = round(kit.milliseconds_an_image(networks), 3)
    write_json(out / COST, cost)
    return logits


def _write_lines(out: Path, before: Sequence[EpochLine], state: FitState) -> None:
    """Write metrics.jsonl: the networks trained before, and the one that `state` belongs to."""
    write_text(out / METRICS, "".join(json.dumps(line) + "\n" for line in [*before, *state.lines]))


def _predictions(recipe: Recipe, dataset: Dataset, tree: Taxonomy, logits: list[FloatArray]) -> Predictions:
    """Probabilities of every finding on val and test, and for a hierarchy of every node given its parent."""
    table = dataset.cohort.table
    rows = np.concatenate([dataset.cohort.rows("val"), dataset.cohort.rows("test")])
    together = np.concatenate(logits, axis=1)
    return Predictions.from_arrays(
        image_ids=table["image_id"].to_numpy()[rows],
        split=table["split"].to_numpy()[rows],
        probs=tree.marginals(together) if recipe.hierarchical else sigmoid(together),
        label_space=dataset.cohort.label_space,
        conditionals=sigmoid(together) if recipe.hierarchical else None,
        taxonomy=tree if recipe.hierarchical else None,
    )
