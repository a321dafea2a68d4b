"""Whether a recipe can be trained on a cohort, and what it cannot learn there, found out before anything is made."""

from __future__ import annotations

import difflib

from chestxpert.cohort.table import Cohort
from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.errors import LabelError, RecipeError, RunError
from chestxpert.imbalance.epochs import Epoch
from chestxpert.imbalance.mixes import mix_function
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.objective import loss_parts, network_loss
from chestxpert.training.rows import epoch_rows, training_rows
from chestxpert.training.stages import second_recipe, second_task
from chestxpert.training.task import Task, tasks_for


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
        For a taxonomy, decision, finding or function that there is not, for a draw that cannot be drawn, and for a gate
        where there is no No Finding.
    RunError
        For a network with fewer than two training rows, or without a validation row that its stage.tau could be chosen
        by.
    """
    try:
        tree = cohort_taxonomy(recipe.taxonomy, cohort)
        _check_decisions(recipe, tree)
        tasks = tasks_for(recipe, cohort.labels(), cohort.label_space, tree, cohort.known())
        own = {task.name: recipe.network(task.name) for task in tasks}
        rows = {task.name: training_rows(own[task.name], cohort, task.eligible, seed) for task in tasks}
    except LabelError as error:
        raise RecipeError(f"Recipe '{recipe.name}': {error}") from error
    if "alpha" in recipe.routing.settings and cohort.label_space.no_finding is None:
        raise RecipeError(
            f"Recipe '{recipe.name}': routing.kind '{recipe.routing.kind}' needs No Finding, which the label space "
            f"'{cohort.label_space.name}' lacks."
        )
    for network, drawn in rows.items():
        if len(drawn) < 2:
            raise RunError(
                f"Recipe '{recipe.name}' leaves {len(drawn)} training rows to network '{network}', which needs at "
                f"least 2. Use more data{', or data with more known labels,' if not cohort.all_known else ','} or "
                "thin less."
            )
    for task in tasks:
        epoch_rows(own[task.name], task, rows[task.name], Epoch(1, recipe.epochs, seed, task.name))
        mix_function(own[task.name].sampling.mix)
        network_loss(loss_parts(own[task.name], task), task, rows[task.name])
    if recipe.stage.trains:
        tasks = tuple(second_task(recipe, task, cohort, tree) for task in tasks)
        rows = {task.name: training_rows(own[task.name], cohort, task.eligible, seed) for task in tasks}
        for task in tasks:
            epoch = Epoch(1, recipe.stage.epochs, seed, task.name)
            epoch_rows(second_recipe(own[task.name]), task, rows[task.name], epoch)
    if recipe.stage.kind == "tau-norm" and recipe.stage.tau is None:
        _check_choice_of_tau(recipe, cohort, tasks)
    if cohort.all_known:
        return ()
    # Whatever a first stage teaches, a second one asks too, on the same rows or more.
    untaught = {output for task in tasks for output in task.unlearnt(rows[task.name])}
    # The inner nodes of a tree need no look: a row that teaches a finding teaches every node above it too.
    return tuple(label for label in cohort.label_space.labels if label in untaught)


def _check_choice_of_tau(recipe: Recipe, cohort: Cohort, tasks: tuple[Task, ...]) -> None:
    validation = cohort.rows("val")
    for task in tasks:
        asked = validation[task.eligible[validation]]
        if not (task.scored & task.scored_known)[asked].any():
            raise RunError(
                f"Recipe '{recipe.name}' chooses stage.tau on validation, where nothing that network '{task.name}' is "
                "asked is known to hold. Set it, as in 'stage.tau=0.5', or use more data."
            )


def _check_decisions(recipe: Recipe, tree: Taxonomy) -> None:
    """RecipeError for settings of a decision that the tree does not make."""
    names = [decision.name for decision in tree.decisions]
    for name in recipe.decisions:
        if name not in names:
            near = [other for other in names if other.casefold() == name.casefold()]
            # Somebody may have named the node that the decision is made at.
            near += [decision.name for decision in tree.decisions if decision.parent == name]
            near += difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise RecipeError(
                f"Recipe '{recipe.name}' has settings for a decision '{name}', but the tree '{tree.name}' makes "
                f"{', '.join(names)}.{hint}"
            )
