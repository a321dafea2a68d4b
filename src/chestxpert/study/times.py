"""Times of prediction for runs that were trained side by side: measured afterwards, when nothing disturbs the clock."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.dataset import Dataset
from chestxpert.evaluation.predictions import Predictions
from chestxpert.files import write_json
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe
from chestxpert.training.checkpoints import Checkpoints, load_learned_state
from chestxpert.training.folder import CHECKPOINTS, COST, EVALUATION, PREDICTIONS
from chestxpert.training.kits import Kits
from chestxpert.training.price import Reader, price_of_run
from chestxpert.training.task import tasks_for

TIME = "ms_per_image"


def add_missing_times(
    runs: Iterable[tuple[Recipe, int, Path]], dataset: Dataset, kits: Kits, progress: Progress = SILENT
) -> None:
    """Complete the cost.json of finished runs that were trained side by side.

    Whoever is interrupted here finds the rest still missing.
    """
    missing = []
    for recipe, _, folder in runs:
        cost: dict[str, Any] = json.loads((folder / COST).read_text(encoding="utf-8"))
        if TIME not in cost:
            missing.append((recipe, folder, cost))
    if not missing:
        return
    with progress.bar("timing predictions", len(missing), unit="run") as tick:
        for recipe, folder, cost in missing:
            write_json(folder / COST, cost | _price(recipe, folder, dataset, kits))
            tick(1)


def _price(recipe: Recipe, folder: Path, dataset: Dataset, kits: Kits) -> dict[str, Any]:
    """What a finished run's networks cost."""
    evaluation = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    predictions = Predictions.load(folder / PREDICTIONS)
    readers = _readers(recipe, folder, dataset, kits)
    return price_of_run(recipe, dataset.cohort, predictions, evaluation.get("routing"), readers)


def _readers(recipe: Recipe, folder: Path, dataset: Dataset, kits: Kits) -> dict[str, Reader]:
    cohort = dataset.cohort
    tree = cohort_taxonomy(recipe.taxonomy, cohort)
    of_networks = kits.of_networks(recipe, tree)
    readers = {}
    for task in tasks_for(recipe, cohort.labels(), cohort.label_space, tree, cohort.known()):
        own, kit = recipe.network(task.name), of_networks[task.name]
        network = kit.engine.place(kit.classifier(own, task.head, seed=0))
        load_learned_state(network, Checkpoints(folder / CHECKPOINTS, task.name).load_best())
        readers[task.name] = Reader(network, kit, kit.source(own), own.tta.views)
    return readers
