"""A Run: one recipe, one seed, one data set, and the folder that holds all that came of it.

The folder is complete when `evaluation.json` is there, which is written last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.evaluation.inference import route_predictions
from chestxpert.evaluation.log_odds import sigmoid
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import evaluate_run
from chestxpert.files import begin_or_go_on, removed_if_left_empty, sweep_parts, write_json, write_text
from chestxpert.folders import locked
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.check import check_recipe
from chestxpert.training.environment import describe_environment
from chestxpert.training.folder import (
    CHECKPOINTS,
    COST,
    ENVIRONMENT,
    EVALUATION,
    FIRST,
    METRICS,
    PREDICTIONS,
    RECIPE,
    is_complete,
)
from chestxpert.training.kits import Kits, each_start
from chestxpert.training.networks import NetworkKit
from chestxpert.training.price import Reader, count_parameters, price_of_run
from chestxpert.training.stages import fit_network
from chestxpert.training.state import EpochLine
from chestxpert.training.task import FloatArray, tasks_for
from chestxpert.training.tta import predict_logits


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
    kit: NetworkKit | Kits | None = None,
    progress: Progress = SILENT,
) -> RunResult:
    """Train, predict and evaluate one recipe.

    Parameters
    ----------
    recipe, dataset, seed : what decides the result; the same three on the same machine give the same predictions
    out : a new folder, or with `resume` one that an interrupted call left
    kit : backbones and features shared with other runs of a study, or the one of every network that does not name a
        backbone of its own; None makes them

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
        shelf = Kits.around(kit, recipe) if isinstance(kit, NetworkKit) else kit or Kits(dataset, progress)
        kits = shelf.of_networks(recipe, tree, None if stored is None else stored["start"])
        environment = describe_environment(dataset, kits, seed) | {"taxonomy": tree.to_dict()}
        if stored is None:
            write_text(out / RECIPE, recipe.to_yaml())
            write_json(out / ENVIRONMENT, environment)
        else:
            _check_same_run(out, recipe, stored, environment)
        if not is_complete(out):
            _finish_run(recipe, dataset, tree, out, seed, kits, progress, not_learnt)
        # Only needed to go on, and several times the size of the weights.
        for passing in ("last", FIRST):
            shutil.rmtree(out / CHECKPOINTS / passing, ignore_errors=True)
    return RunResult(out, json.loads((out / EVALUATION).read_text(encoding="utf-8")))


def _finish_run(
    recipe: Recipe,
    dataset: Dataset,
    tree: Taxonomy,
    out: Path,
    seed: int,
    kits: Mapping[str, NetworkKit],
    progress: Progress,
    not_learnt: Sequence[str],
) -> None:
    """Train what is left to train, predict and evaluate."""
    if not_learnt:
        names = ", ".join(not_learnt)
        progress.note(f"{recipe.name} seed {seed}: the labels of no training image can teach {names}")
    logits, stages, readers, cost = _train_networks(recipe, dataset, tree, out, seed, kits, progress)
    predictions, routing = route_predictions(
        _predictions(recipe, dataset, tree, logits), dataset.cohort, recipe.routing
    )
    predictions.save(out / PREDICTIONS)
    stage = None if recipe.stage.kind == "none" else {"kind": recipe.stage.kind, "networks": stages}
    if all(kit.alone for kit in kits.values()):
        cost |= price_of_run(recipe, dataset.cohort, predictions, routing, readers)
    write_json(out / COST, cost)
    write_json(out / EVALUATION, evaluate_run(predictions, dataset.cohort, tree, not_learnt, routing, stage))


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
    was = {"seed": stored.get("seed"), "cohort": stored.get("cohort_fingerprint"), **each_start(stored["start"])}
    now = {
        "seed": environment["seed"], "cohort": environment["cohort_fingerprint"], **each_start(environment["start"])
    }  # fmt: skip
    for key in now:
        if was.get(key) != now[key]:
            raise RunError(
                f"{out} holds a run with another {key.replace('_', ' ')} ({was.get(key)}, now {now[key]}). "
                "Choose another --out."
            )


def _train_networks(
    recipe: Recipe,
    dataset: Dataset,
    tree: Taxonomy,
    out: Path,
    seed: int,
    kits: Mapping[str, NetworkKit],
    progress: Progress,
) -> tuple[list[FloatArray], dict[str, Mapping[str, Any]], dict[str, Reader], dict[str, Any]]:
    """Train the recipe's networks one after the other.

    Returns each one's logits on the val and test rows, what there is to say of its second stage, each one itself, and
    what training all of them cost.
    """
    cohort = dataset.cohort
    evaluated = np.concatenate([cohort.rows("val"), cohort.rows("test")])
    logits: list[FloatArray] = []
    lines: list[EpochLine] = []
    cost: dict[str, Any] = {"parameters": 0, "train_seconds": 0.0, "train_image_passes": 0}
    readers: dict[str, Reader] = {}
    stages: dict[str, Mapping[str, Any]] = {}
    for task in tasks_for(recipe, cohort.labels(), cohort.label_space, tree, cohort.known()):
        own, kit = recipe.network(task.name), kits[task.name]
        report = partial(_write_lines, out, tuple(lines))
        done = fit_network(kit, own, task, tree, out / CHECKPOINTS, seed, report, progress)
        lines += done.lines
        network, source = done.trainer.average.network, done.trainer.source
        logits.append(predict_logits(network, source, evaluated, kit.engine, own.tta.views))
        readers[task.name] = Reader(done.trainer.network, kit, source, own.tta.views)
        stages[task.name] = done.record
        cost["train_seconds"] = round(cost["train_seconds"] + done.seconds, 3)
        cost["train_image_passes"] += done.image_passes
    cost["parameters"] = count_parameters(reader.network for reader in readers.values())
    return logits, stages, readers, cost


def _write_lines(out: Path, before: Sequence[EpochLine], lines: Sequence[EpochLine]) -> None:
    """Write metrics.jsonl: the `lines` of the network that is trained, after those of the networks trained before."""
    write_text(out / METRICS, "".join(json.dumps(line, allow_nan=False) + "\n" for line in [*before, *lines]))


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
