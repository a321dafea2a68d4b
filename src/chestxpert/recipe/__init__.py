"""Recipe: everything that decides one training run, as frozen dataclasses and a strict YAML file.

Strict means: an unknown key, a value of the wrong type or out of range, and a key given twice are errors that
name the key and, where there is one, the key that was probably meant.
"""

from chestxpert.recipe.catalogue import DRAWS, LOSSES, MIXES, POSTHOC, ROUTINGS, Method
from chestxpert.recipe.files import STUDY_RECIPES, builtin_recipes, head_comment, load_recipe, recipes_folder
from chestxpert.recipe.parts import Augment, Head, Optimizer
from chestxpert.recipe.posthoc import Posthoc, parse_posthoc
from chestxpert.recipe.recipe import Architecture, Recipe, parse_recipe
from chestxpert.recipe.routing import Routing
from chestxpert.recipe.sampling import Draw, Mix, Oversample, Sampling, Thin
from chestxpert.recipe.selection import Chosen, Loss

__all__ = [
    "DRAWS",
    "LOSSES",
    "MIXES",
    "POSTHOC",
    "ROUTINGS",
    "STUDY_RECIPES",
    "Architecture",
    "Augment",
    "Chosen",
    "Draw",
    "Head",
    "Loss",
    "Method",
    "Mix",
    "Optimizer",
    "Oversample",
    "Posthoc",
    "Recipe",
    "Routing",
    "Sampling",
    "Thin",
    "builtin_recipes",
    "head_comment",
    "load_recipe",
    "parse_posthoc",
    "parse_recipe",
    "recipes_folder",
]
