"""Which rows one network of one run is trained on, and how often."""

from __future__ import annotations

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.imbalance.epochs import Epoch
from chestxpert.imbalance.sampling import oversample, rare_findings, thin
from chestxpert.recipe import Recipe
from chestxpert.training.engine import stream_seed
from chestxpert.training.task import BoolArray, IntArray, Task


def training_rows(recipe: Recipe, cohort: Cohort, eligible: BoolArray, seed: int) -> IntArray:
    """Cohort rows to train on; a row that stands more than once is to be augmented anew each time.

    Thinning and over-sampling come after the split and see the training rows alone.

    Parameters
    ----------
    eligible : (N,) bool array, the rows that the network's question is asked of
    seed : the run's seed; all networks of one run share one draw
    """
    rows = cohort.rows("train")
    labels, space = cohort.labels(), cohort.label_space
    if recipe.sampling.thin is not None:
        rng = np.random.default_rng(stream_seed(seed, "thin"))
        settings = recipe.sampling.thin
        rows = rows[thin(labels[rows], space, settings.drop, settings.protect, rng)]
    if recipe.sampling.oversample is not None:
        rng = np.random.default_rng(stream_seed(seed, "oversample"))
        copies = recipe.sampling.oversample
        rare = rare_findings(space, recipe.sampling.thin.drop if recipe.sampling.thin is not None else ())
        rows = rows[oversample(labels[rows], space, rare, copies.target, copies.max_copies, rng)]
    return rows[eligible[rows]]


def epoch_rows(recipe: Recipe, task: Task, rows: IntArray, epoch: Epoch) -> IntArray:
    """Cohort rows that `task` sees in an epoch, of its training `rows`, as the recipe draws them; in no order."""
    return rows[epoch.rows(recipe.sampling.draw, known_positives(task, rows))]


def known_positives(task: Task, rows: IntArray) -> BoolArray:
    """(n, M) positives of `rows` that are known: what a draw may look at."""
    return task.targets[rows] & task.known[rows]
