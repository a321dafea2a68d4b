"""How long a study will take here, measured on a few steps before it starts."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.imbalance.epochs import Epoch
from chestxpert.recipe import Recipe
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import epoch_rows, training_rows
from chestxpert.training.stages import second_recipe, second_task
from chestxpert.training.task import tasks_for


def estimate_fine_tuning(recipes: Sequence[Recipe], kit: NetworkKit, steps: int = 2) -> float:
    """Seconds that fine-tuning takes here if no run stops early, one run for each entry of `recipes`.

    Times `steps` real steps of the first recipe and reckons the rest from the rows that each network sees. Nothing
    is stored, and no run's random stream is touched.

    Parameters
    ----------
    recipes : recipes that share `kit`, as often as they are to be run
    """
    cohort = kit.dataset.cohort
    trained = evaluated = 0
    for recipe in recipes:
        tree = cohort_taxonomy(recipe.taxonomy, cohort)
        for task in tasks_for(recipe, cohort.labels(), cohort.label_space, tree, cohort.known()):
            rows = training_rows(recipe, cohort, task.eligible, seed=0)
            trained += recipe.epochs * len(epoch_rows(recipe, task, rows, Epoch(1, recipe.epochs, 0, task.name)))
            evaluated += recipe.epochs * int(task.eligible[cohort.rows("val")].sum())
            evaluated += (1 + recipe.tta.views) * (len(cohort.rows("val")) + len(cohort.rows("test")))
            if recipe.stage.trains:
                asked, its = second_task(recipe, task, cohort, tree), second_recipe(recipe)
                rows = training_rows(recipe, cohort, asked.eligible, seed=0)
                seen = its.epochs * len(epoch_rows(its, asked, rows, Epoch(1, its.epochs, 0, task.name)))
                evaluated += its.epochs * int(asked.eligible[cohort.rows("val")].sum())
                if recipe.stage.kind == "crt":  # a pass through what stands still costs as much as predicting
                    evaluated += seen
                else:
                    trained += seen
    train_rate, eval_rate = _rates(recipes[0], kit, steps)
    return trained / train_rate + evaluated / eval_rate


def _rates(recipe: Recipe, kit: NetworkKit, steps: int) -> tuple[float, float]:
    """Images a second in training and in prediction."""
    cohort = kit.dataset.cohort
    tree = cohort_taxonomy(recipe.taxonomy, cohort)
    task = tasks_for(recipe, cohort.labels(), cohort.label_space, tree, cohort.known())[0]
    trainer = kit.trainer(recipe, task, cohort.rows("train"), seed=0)
    rows = np.resize(cohort.rows("train"), recipe.batch_size)
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
