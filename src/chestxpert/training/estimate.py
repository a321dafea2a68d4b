"""How long a study will take here, measured on a few steps before it starts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.imbalance.epochs import Epoch
from chestxpert.recipe import Recipe
from chestxpert.training.kits import Kits
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import epoch_rows, training_rows
from chestxpert.training.stages import second_recipe, second_task
from chestxpert.training.task import Task, tasks_for


@dataclass
class _Work:
    """Images that all networks of one kit train on and predict, and the first of these networks."""

    recipe: Recipe
    task: Task
    kit: NetworkKit
    trained: int = 0
    evaluated: int = 0


def estimate_fine_tuning(recipes: Sequence[Recipe], kits: Kits, steps: int = 2) -> float:
    """Seconds that fine-tuning takes here if no run stops early, one run for each entry of `recipes`.

    Times `steps` real steps of one network of each kit and reckons the rest from the rows that each network sees.
    Nothing is stored, and no run's random stream is touched.

    Parameters
    ----------
    recipes : as often as they are to be run
    kits : of their networks
    """
    seconds = 0.0
    for work in _work(recipes, kits):
        train_rate, eval_rate = _rates(work, steps)
        seconds += work.trained / train_rate + work.evaluated / eval_rate
    return seconds


def _work(recipes: Sequence[Recipe], kits: Kits) -> list[_Work]:
    """What is to be done with each kit."""
    found: dict[int, _Work] = {}
    for recipe in recipes:
        cohort = kits.dataset.cohort
        tree = cohort_taxonomy(recipe.taxonomy, cohort)
        for task in tasks_for(recipe, cohort.labels(), cohort.label_space, tree, cohort.known()):
            own = recipe.network(task.name)
            kit = kits.of(own)
            work = found.setdefault(id(kit), _Work(own, task, kit))
            seen, validated = _epochs(own, task, cohort)
            work.trained += seen
            work.evaluated += validated
            work.evaluated += (1 + own.tta.views) * (len(cohort.rows("val")) + len(cohort.rows("test")))
            if own.stage.trains:
                seen, validated = _epochs(second_recipe(own), second_task(own, task, cohort, tree), cohort)
                work.evaluated += validated
                if own.stage.kind == "crt":  # a pass through what stands still costs as much as predicting
                    work.evaluated += seen
                else:
                    work.trained += seen
    return list(found.values())


def _epochs(recipe: Recipe, task: Task, cohort: Cohort) -> tuple[int, int]:
    """Images that all epochs of one network train on, and that they validate on."""
    rows = training_rows(recipe, cohort, task.eligible, seed=0)
    seen = len(epoch_rows(recipe, task, rows, Epoch(1, recipe.epochs, 0, task.name)))
    return recipe.epochs * seen, recipe.epochs * int(task.eligible[cohort.rows("val")].sum())


def _rates(work: _Work, steps: int) -> tuple[float, float]:
    """Images a second in training and in prediction."""
    recipe, task, kit = work.recipe, work.task, work.kit
    learnt = training_rows(recipe, kit.dataset.cohort, task.eligible, seed=0)
    trainer = kit.trainer(recipe, task, learnt, seed=0)
    rows = np.resize(learnt, recipe.batch_size)
    inputs, _ = next(trainer.source.eval_batches(rows, len(rows)))
    trainer.network.train()
    trainer.mixer.begin(Epoch(1, recipe.epochs, 0, task.name), (1 + steps) * len(rows))
    trainer.step(inputs, rows)  # the first step also chooses kernels and allocates
    started = time.perf_counter()
    for _ in range(steps):
        trainer.step(inputs, rows)
    kit.engine.synchronise()
    train_rate = steps * len(rows) / (time.perf_counter() - started)
    started = time.perf_counter()
    trainer.predict(rows)
    return train_rate, len(rows) / (time.perf_counter() - started)
