"""Whether a recipe can be trained on a cohort, found out before anything is made."""

from __future__ import annotations

from chestxpert.cohort.table import Cohort
from chestxpert.errors import LabelError, RecipeError, RunError
from chestxpert.imbalance.epochs import Epoch
from chestxpert.imbalance.mixes import mix_function
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import taxonomy
from chestxpert.training.rows import epoch_rows, training_rows
from chestxpert.training.task import tasks_for


def check_recipe(recipe: Recipe, cohort: Cohort, seed: int) -> None:
    """Check the recipe's names against the cohort's label space, and that each network has rows to learn from.

    Raises
    ------
    RecipeError
        For a taxonomy, finding or function that there is not, and for a draw that cannot be drawn.
    RunError
        For a network with fewer than two training rows.
    """
    mix_function(recipe.sampling.mix)
    try:
        tree = taxonomy(recipe.taxonomy, cohort.label_space)
        tasks = tasks_for(recipe, cohort.labels(), cohort.label_space, tree)
        rows = {task.name: training_rows(recipe, cohort, task.eligible, seed) for task in tasks}
    except LabelError as error:
        raise RecipeError(f"Recipe '{recipe.name}': {error}") from error
    for network, drawn in rows.items():
        if len(drawn) < 2:
            raise RunError(
                f"Recipe '{recipe.name}' leaves {len(drawn)} training rows to network '{network}', which needs at "
                "least 2. Use more data, or thin less."
            )
    for task in tasks:
        epoch_rows(recipe, task, rows[task.name], Epoch(1, recipe.epochs, seed, task.name))
