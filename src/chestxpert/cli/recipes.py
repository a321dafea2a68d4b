"""`chestxpert recipes`: what comes with ChestXpert."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    List the recipes that come with ChestXpert, by what they change; with NAME, print one and how it differs from the
    recipe it stands beside. A recipe is a short YAML file with everything that decides one training run;
    docs/recipes.md explains each key. Copy one and change it to make your own.
"""
EPILOG = """
    examples:
      chestxpert recipes
      chestxpert recipes --methods
      chestxpert recipes flat-focal
      chestxpert compare --data data/nih --out studies/two --recipes flat-basic hierarchical-shared
      chestxpert train my-recipe.yaml --data data/nih --out runs/mine
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "recipes", help="list recipes and methods, or print one recipe", description=DESCRIPTION, epilog=EPILOG
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("name", metavar="NAME", nargs="?", help="recipe to print: a name or a YAML file")
    what.add_argument(
        "--methods", action="store_true",
        help="list the methods that a recipe may choose from instead, with their settings, defaults and sources",
    )  # fmt: skip
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """The recipes, one of them, or the methods."""
    from chestxpert.recipe.describe import describe_recipe, list_methods, list_recipes

    if arguments.name is not None:
        return describe_recipe(arguments.name)
    return list_methods() if arguments.methods else list_recipes()
