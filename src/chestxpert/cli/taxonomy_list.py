"""`chestxpert taxonomy list`: which trees there are."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    List the taxonomies that come with ChestXpert and those that are computed from a data set's training images.
    Any of them, or a YAML file of your own, can stand under 'taxonomy' in a recipe.
"""
EPILOG = """
    examples:
      chestxpert taxonomy list
      chestxpert taxonomy show clinical
      chestxpert train hierarchical-shared --set taxonomy=clinical --data data/nih --out runs/clinical
"""


def add_to(commands: Commands) -> None:
    """Add the command to its group."""
    parser: Parser = commands.add_parser(
        "list", help="list the taxonomies that there are", description=DESCRIPTION, epilog=EPILOG
    )
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Name and summary of each taxonomy, and where their files are."""
    from chestxpert.recipe import head_comment
    from chestxpert.taxonomy import builtin_taxonomies, taxonomies_folder

    listed = {name: head_comment(path) for name, path in builtin_taxonomies().items()}
    listed["majority-COUNT"] = "like the study's, split after the COUNT findings most frequent in training; computed"
    width = max(map(len, listed))
    lines = [f"{name:<{width}}  {words}" for name, words in listed.items()]
    return "\n".join([*lines, "", f"Their files are in {taxonomies_folder()}"])
