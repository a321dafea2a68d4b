"""What one recipe changes of another, and which recipe of the study each one stands beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chestxpert.recipe.files import STUDY_RECIPES, load_recipe
from chestxpert.recipe.recipe import Recipe

ABSENT = object()
"""Stands for the value of a key that a recipe does not have."""

STUDY = "the study, which 'chestxpert compare' runs unless told otherwise"
SEVERAL = "several at once"
HEADINGS: Mapping[str, tuple[str, ...]] = {
    "the loss, and weights in it": ("loss",),
    "which rows an epoch sees": ("sampling.draw", "sampling.thin", "sampling.oversample"),
    "how images are mixed": ("sampling.mix",),
    "trees and routing": ("architecture", "taxonomy", "routing"),
    "how predictions are made": ("tta",),
    "how training goes": (),
}
"""What recipes change, by their keys; whatever key is named nowhere changes how training goes."""


def differences(recipe: Recipe, base: Recipe) -> dict[str, tuple[Any, Any]]:
    """Dotted keys whose values differ, but for the name: the value of `recipe` and of `base`, or `ABSENT`."""
    ours, theirs = _flat(recipe.to_dict()), _flat(base.to_dict())
    keys = [key for key in {**theirs, **ours} if key != "name" and ours.get(key, ABSENT) != theirs.get(key, ABSENT)]
    # A part that is null on one side and has keys on the other is told by those keys.
    keys = [key for key in keys if not any(other.startswith(f"{key}.") for other in keys)]
    return {key: (ours.get(key, ABSENT), theirs.get(key, ABSENT)) for key in keys}


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {above + key: value}
    return flat


def study_recipes() -> tuple[Recipe, ...]:
    """The recipes of the study, in its order."""
    return tuple(load_recipe(name) for name in STUDY_RECIPES)


def base_of(recipe: Recipe, study: Sequence[Recipe]) -> Recipe | None:
    """The recipe of the study that `recipe` differs from in the fewest keys; one of the study stands on those before.

    None for the first recipe of the study, which stands on none.
    """
    before = study[: study.index(recipe)] if recipe in study else study
    return min(before, key=lambda base: len(differences(recipe, base)), default=None)


def heading_of(recipe: Recipe, study: Sequence[Recipe]) -> str:
    """Under which heading a list has the recipe: what it changes of its base."""
    base = base_of(recipe, study)
    if recipe in study or base is None:
        return STUDY
    found = {_heading(key) for key in differences(recipe, base)}
    return found.pop() if len(found) == 1 else SEVERAL


def _heading(key: str) -> str:
    for heading, parts in HEADINGS.items():
        if any(key == part or key.startswith(f"{part}.") for part in parts):
            return heading
    return next(heading for heading, parts in HEADINGS.items() if not parts)
