"""How long a study will take here, measured on a few steps before it starts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chestxpert.recipe import Recipe
from chestxpert.taxonomy import taxonomy
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.task import tasks_for


@dataclass(frozen=True)
class Estimate:
    """Seconds of fine-tuning, if no run stops early, and the rate they were reckoned from.

    Attributes
    ----------
    train_images, images_a_second : images in all training epochs, and how many a step takes a second
    seconds : both with validation after each epoch
    """

    train_images: int
    images_a_second: float
    seconds: float


def estimate_fine_tuning(recipes: Sequence[Recipe], seeds: int, kit: NetworkKit, steps: int = 2) -> Estimate:
    """Time `steps` real steps of the first recipe and reckon the rest from the rows that each network sees.

    Nothing is stored, and the study's own random streams are not touched.
    """
    cohort = kit.dataset.cohort
    tree = taxonomy(recipes[0].taxonomy, cohort.label_space)
    train_images = evaluated = 0
    for recipe in recipes:
        for task in tasks_for(recipe, cohort.labels(), cohort.label_space, tree):
            train_images += recipe.epochs * len(training_rows(recipe, cohort, task.eligible, seed=0))
            evaluated += recipe.epochs * int(task.eligible[cohort.rows("val")].sum())
    train_rate, eval_rate = _rates(recipes[0], kit, steps)
    seconds = seeds * (train_images / train_rate + evaluated / eval_rate)
    return Estimate(seeds * train_images, train_rate, seconds)


def _rates(recipe: Recipe, kit: NetworkKit, steps: int) -> tuple[float, float]:
    """Images a second in training and in prediction."""
    cohort = kit.dataset.cohort
    fine_tuned = replace(recipe, freeze=False)
    task = tasks_for(fine_tuned, cohort.labels(), cohort.label_space, taxonomy(recipe.taxonomy, cohort.label_space))[0]
    trainer = kit.trainer(fine_tuned, task, cohort.rows("train"), seed=0)
    rows = np.resize(cohort.rows("train"), recipe.batch_size)
    inputs, _ = next(trainer.source.eval_batches(rows, len(rows)))
    trainer.network.train()
    trainer.step(inputs, rows)  # the first step also chooses kernels and allocates
    started = time.perf_counter()
    for _ in range(steps):
        trainer.step(inputs, rows)
    kit.engine.synchronise()
    train_rate = steps * len(rows) / (time.perf_counter() - started)
    started = time.perf_counter()
    trainer.predict(rows)
    return train_rate, len(rows) / (time.perf_counter() - started)
