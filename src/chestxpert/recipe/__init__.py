"""Recipe: everything that decides one training run, as frozen dataclasses and a strict YAML file.

Strict means: an unknown key, a value of the wrong type or out of range, and a key given twice are errors that
name the key and, where there is one, the key that was probably meant.
"""

from chestxpert.recipe.catalogue import DRAWS, LOSSES, MIXES, POSTHOC, ROUTINGS, STAGES, Method
from chestxpert.recipe.decisions import DecisionSettings
from chestxpert.recipe.files import (
    STUDY_RECIPES,
    builtin_recipes,
    head_comment,
    load_recipe,
    recipe_text,
    recipes_folder,
)
from chestxpert.recipe.overrides import Override, chosen_parts, split_override
from chestxpert.recipe.parts import Augment, Head, Optimizer, Tta
from chestxpert.recipe.posthoc import Posthoc, parse_posthoc
from chestxpert.recipe.recipe import Architecture, Recipe, parse_recipe, used_overrides
from chestxpert.recipe.routing import Routing
from chestxpert.recipe.sampling import Draw, Mix, Oversample, Sampling, Thin
from chestxpert.recipe.selection import Chosen, Loss
from chestxpert.recipe.stage import Stage, StageDraw

__all__ = [
    "DRAWS",
    "LOSSES",
    "MIXES",
    "POSTHOC",
    "ROUTINGS",
    "STAGES",
    "STUDY_RECIPES",
    "Architecture",
    "Augment",
    "Chosen",
    "DecisionSettings",
    "Draw",
    "Head",
    "Loss",
    "Method",
    "Mix",
    "Optimizer",
    "Override",
    "Oversample",
    "Posthoc",
    "Recipe",
    "Routing",
    "Sampling",
    "Stage",
    "StageDraw",
    "Thin",
    "Tta",
    "builtin_recipes",
    "chosen_parts",
    "head_comment",
    "load_recipe",
    "parse_posthoc",
    "parse_recipe",
    "recipe_text",
    "recipes_folder",
    "split_override",
    "used_overrides",
]
