"""Whether a recipe can be trained on a cohort, found out before anything is made."""

from __future__ import annotations

from chestxpert.cohort.table import Cohort
from chestxpert.errors import LabelError, RecipeError, RunError
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import taxonomy
from chestxpert.training.rows import training_rows
from chestxpert.training.task import tasks_for


def check_recipe(recipe: Recipe, cohort: Cohort, seed: int) -> None:
    """Check the recipe's names against the cohort's label space, and that each network has rows to learn from.

    Raises
    ------
    RecipeError
        For a taxonomy or finding that there is not.
    RunError
        For a network with fewer than two training rows.
    """
    try:
        tree = taxonomy(recipe.taxonomy, cohort.label_space)
        rows = {
            task.name: len(training_rows(recipe, cohort, task.eligible, seed))
            for task in tasks_for(recipe, cohort.labels(), cohort.label_space, tree)
        }
    except LabelError as error:
        raise RecipeError(f"Recipe '{recipe.name}': {error}") from error
    for network, count in rows.items():
        if count < 2:
            raise RunError(
                f"Recipe '{recipe.name}' leaves {count} training rows to network '{network}', which needs at least "
                "2. Use more data, or thin less."
            )
