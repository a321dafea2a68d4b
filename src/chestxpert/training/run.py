"""A Run: one recipe, one seed, one data set, and the folder that holds all that came of it.

The folder is complete when `evaluation.json` is there, which is written last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.evaluation.inference import route_predictions
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import evaluate_run
from chestxpert.files import begin_or_go_on, removed_if_left_empty, sweep_parts, write_json, write_text
from chestxpert.folders import locked
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.check import check_recipe
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
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.state import EpochLine, FitState
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
    not_learnt = check_recipe(recipe, dataset.cohort, seed)
    tree = cohort_taxonomy(recipe.taxonomy, dataset.cohort)
    stored = read_environment(out) if begin_or_go_on(out, ENVIRONMENT, [RECIPE], resume=resume) else None
    busy = f"Another process is working on {out} right now. Wait for it, or choose another --out."
    with removed_if_left_empty(out), locked(out, busy):
        sweep_parts(out)
        begun_with = None if stored is None else stored["start"]["backbone"]
        kit = kit or NetworkKit.create(recipe, dataset, progress, backbone_name=begun_with)
        environment = describe_environment(dataset, kit, seed) | {"taxonomy": tree.to_dict()}
        if stored is None:
            write_text(out / RECIPE, recipe.to_yaml())
            write_json(out / ENVIRONMENT, environment)
        else:
            _check_same_run(out, recipe, stored, environment)
        if not is_complete(out):
            _finish_run(recipe, dataset, tree, out, seed, kit, progress, not_learnt)
        # Only needed to go on, and several times the size of the weights.
        shutil.rmtree(out / CHECKPOINTS / "last", ignore_errors=True)
    return RunResult(out, json.loads((out / EVALUATION).read_text(encoding="utf-8")))


def _finish_run(
    recipe: Recipe,
    dataset: Dataset,
    tree: Taxonomy,
    out: Path,
    seed: int,
    kit: NetworkKit,
    progress: Progress,
    not_learnt: Sequence[str],
) -> None:
    """Train what is left to train, predict and evaluate."""
    if not_learnt:
        names = ", ".join(not_learnt)
        progress.note(f"{recipe.name} seed {seed}: the labels of no training image can teach {names}")
    logits = _train_networks(recipe, dataset, tree, out, seed, kit, progress)
    predictions, routing = route_predictions(
        _predictions(recipe, dataset, tree, logits), dataset.cohort, recipe.routing
    )
    predictions.save(out / PREDICTIONS)
    write_json(out / EVALUATION, evaluate_run(predictions, dataset.cohort, tree, not_learnt, routing))


def read_environment(out: Path) -> dict[str, Any]:
    """Stored environment.json of a run; RunError if it is damaged or of another version."""
    try:
        stored: dict[str, Any] = json.loads((out / ENVIRONMENT).read_text(encoding="utf-8"))
        stored["start"]["backbone"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{out} holds no run that could be resumed ({error!r}). Choose another --out.") from error
    return stored


def _check_same_run(out: Path, recipe: Recipe, stored: dict[str, Any], environment: dict[str, Any]) -> None:
    if (out / RECIPE).read_text(encoding="utf-8") != recipe.to_yaml():
        raise RunError(
            f"{out} holds a run of a different recipe or with different settings: compare its recipe.yaml. "
            "Resume with the same, or choose another --out."
        )
    if stored.get("taxonomy") != json.loads(json.dumps(environment["taxonomy"])):
        raise RunError(
            f"{out} holds a run down another tree than '{recipe.taxonomy}' is now: compare 'taxonomy' in its "
            f"{ENVIRONMENT}. Put the tree back as it was, or choose another --out."
        )
    was = {"seed": stored.get("seed"), "cohort": stored.get("cohort_fingerprint"), **stored["start"]}
    now = {"seed": environment["seed"], "cohort": environment["cohort_fingerprint"], **environment["start"]}
    for key in now:
        if was.get(key) != now[key]:
            raise RunError(
                f"{out} holds a run with another {key.replace('_', ' ')} ({was.get(key)}, now {now[key]}). "
                "Choose another --out."
            )


def _train_networks(
    recipe: Recipe, dataset: Dataset, tree: Taxonomy, out: Path, seed: int, kit: NetworkKit, progress: Progress
) -> list[FloatArray]:
    """Train the recipe's networks one after the other; returns each one's logits on the val and test rows."""
    cohort = dataset.cohort
    evaluated = np.concatenate([cohort.rows("val"), cohort.rows("test")])
    logits: list[FloatArray] = []
    lines: list[EpochLine] = []
    cost: dict[str, float] = {"parameters": 0, "train_seconds": 0.0, "train_image_passes": 0}
    networks = []
    for task in tasks_for(recipe, cohort.labels(), cohort.label_space, tree, cohort.known()):
        rows = training_rows(recipe, cohort, task.eligible, seed)
        trainer = kit.trainer(recipe, task, rows, seed)
        kept = Checkpoints(out / CHECKPOINTS, task.name)
        trainer.resume(kept)
        left = trainer.rows_per_epoch * (recipe.epochs - trainer.state.epoch)
        with progress.bar(f"{recipe.name} seed {seed}: network {task.name}", left) as tick:
            done = trainer.fit(kept, partial(_write_lines, out, tuple(lines)), tick)
        _write_lines(out, lines, done)
        lines += done.lines
        logits.append(trainer.predict(evaluated).astype(np.float64))
        networks.append(trainer.network)
        cost["train_seconds"] += round(done.seconds, 3)
        cost["train_image_passes"] += done.image_passes
    cost["parameters"] = kit.count_parameters(networks)
    if kit.alone:
        cost["ms_per_image"] = round(kit.milliseconds_an_image(networks), 3)
    write_json(out / COST, cost)
    return logits


def _write_lines(out: Path, before: Sequence[EpochLine], state: FitState) -> None:
    """Write metrics.jsonl: the networks trained before, and the one that `state` belongs to."""
    write_text(out / METRICS, "".join(json.dumps(line, allow_nan=False) + "\n" for line in [*before, *state.lines]))


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
