"""`chestxpert taxonomy`: the trees that hierarchies are trained and measured along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chestxpert.cli import taxonomy_list, taxonomy_show
from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Look at the trees that hierarchical recipes go down. A taxonomy is a short YAML file over the findings of a data
    set; docs/taxonomies.md says how to write one of your own. A recipe names its tree under 'taxonomy'.
"""
EPILOG = """
    examples:
      chestxpert taxonomy list
      chestxpert taxonomy show clinical --data data/nih
      chestxpert taxonomy show my-tree.yaml --data data/nih
"""


def add_to(commands: Commands) -> None:
    """Add the group and its commands to the command line."""
    parser: Parser = commands.add_parser(
        "taxonomy", help="list and draw the trees of the hierarchies", description=DESCRIPTION, epilog=EPILOG
    )
    parser.set_defaults(run=None, parser=parser)
    inner = parser.add_subparsers(title="commands", metavar="COMMAND")
    taxonomy_list.add_to(inner)
    taxonomy_show.add_to(inner)
