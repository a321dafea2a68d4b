"""`chestxpert recipes`: what comes with ChestXpert."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    List the recipes that come with ChestXpert. A recipe is a short YAML file with everything that decides one
    training run; docs/recipes.md explains each key. Copy one and change it to make your own.
"""
EPILOG = """
    examples:
      chestxpert recipes
      chestxpert compare --data data/nih --out studies/two --recipes flat-basic hierarchical-shared
      chestxpert train my-recipe.yaml --data data/nih --out runs/mine
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "recipes", help="list the recipes that come with ChestXpert", description=DESCRIPTION, epilog=EPILOG
    )
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Name and summary of each recipe, and where their files are."""
    from chestxpert.recipe import builtin_recipes, head_comment, recipes_folder

    recipes = builtin_recipes()
    width = max(map(len, recipes), default=0)
    lines = [f"{name:<{width}}  {head_comment(path)}" for name, path in recipes.items()]
    return "\n".join([*lines, "", f"Their files are in {recipes_folder()}"])
