"""Times of prediction for runs that were trained side by side: measured afterwards, when nothing disturbs the clock."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.dataset import Dataset
from chestxpert.files import write_json
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe
from chestxpert.training.folder import COST
from chestxpert.training.networks import NetworkKit
from chestxpert.training.task import tasks_for

TIME = "ms_per_image"


def add_missing_times(
    runs: Iterable[tuple[Recipe, int, Path]],
    dataset: Dataset,
    kits: dict[tuple[object, ...], NetworkKit],
    progress: Progress = SILENT,
) -> None:
    """Complete the cost.json of finished runs that were trained side by side.

    Seeds of one recipe are networks of one shape, and are timed once. Whoever is interrupted here finds the rest still
    missing.
    """
    missing: dict[str, list[tuple[Recipe, Path, dict[str, Any]]]] = {}
    for recipe, _, folder in runs:
        cost: dict[str, Any] = json.loads((folder / COST).read_text(encoding="utf-8"))
        if TIME not in cost:
            missing.setdefault(recipe.name, []).append((recipe, folder, cost))
    if not missing:
        return
    with progress.bar("timing predictions", len(missing), unit="recipe") as tick:
        for timed in missing.values():
            recipe = timed[0][0]
            taken = _milliseconds(recipe, dataset, kits[NetworkKit.shared_key(recipe)])
            for _, folder, cost in timed:
                write_json(folder / COST, cost | {TIME: taken})
            tick(1)


def _milliseconds(recipe: Recipe, dataset: Dataset, kit: NetworkKit) -> float:
    """Time to predict one image through networks as the recipe's; what their weights are makes no difference."""
    cohort = dataset.cohort
    tree = cohort_taxonomy(recipe.taxonomy, cohort)
    tasks = tasks_for(recipe, cohort.labels(), cohort.label_space, tree, cohort.known())
    networks = [kit.engine.place(kit.classifier(recipe, task.head, seed=0)) for task in tasks]
    return round(kit.milliseconds_an_image(networks), 3)
