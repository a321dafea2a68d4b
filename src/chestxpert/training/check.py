"""Whether a recipe can be trained on a cohort, and what it cannot learn there, found out before anything is made."""

from __future__ import annotations

from collections.abc import Collection

from chestxpert.cohort.table import Cohort
from chestxpert.errors import LabelError, RecipeError, RunError
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import Taxonomy, taxonomy
from chestxpert.training.rows import training_rows
from chestxpert.training.task import tasks_for


def check_recipe(recipe: Recipe, cohort: Cohort, seed: int) -> tuple[str, ...]:
    """Check the recipe's names against the cohort's label space, and that each network has rows to learn from.

    Returns
    -------
    tuple of str
        Labels that this run cannot learn, since no training row knows them where their question is asked. That is no
        error: the others can be learnt. Empty where every label of the cohort is known.

    Raises
    ------
    RecipeError
        For a taxonomy or finding that there is not.
    RunError
        For a network with fewer than two training rows.
    """
    try:
        tree = taxonomy(recipe.taxonomy, cohort.label_space)
        tasks = tasks_for(recipe, cohort.labels(), cohort.label_space, tree, cohort.known())
        rows = {task.name: training_rows(recipe, cohort, task.eligible, seed) for task in tasks}
    except LabelError as error:
        raise RecipeError(f"Recipe '{recipe.name}': {error}") from error
    for network, drawn in rows.items():
        if len(drawn) < 2:
            raise RunError(
                f"Recipe '{recipe.name}' leaves {len(drawn)} training rows to network '{network}', which needs at "
                f"least 2. Use more data{', or data with more known labels,' if not cohort.all_known else ','} or "
                "thin less."
            )
    if cohort.all_known:
        return ()
    untaught = {output for task in tasks for output in task.unlearnt(rows[task.name])}
    return _labels_behind(untaught, tree if recipe.hierarchical else None, cohort)


def _labels_behind(outputs: Collection[str], tree: Taxonomy | None, cohort: Cohort) -> tuple[str, ...]:
    """Labels whose probability any of `outputs` has a part in: those on the label's path, in a tree."""
    space = cohort.label_space
    paths = {label: {label} for label in space.labels}
    if tree is not None:
        paths = {finding: {*tree.ancestors(finding), finding} for finding in space.findings}
        if space.no_finding is not None:
            paths[space.no_finding] = {tree.nodes[0]}
    return tuple(label for label in space.labels if not paths[label].isdisjoint(outputs))
