"""`chestxpert data`: everything that makes a dataset folder, and a look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chestxpert.cli import (
    data_card,
    data_check,
    data_download,
    data_oversample,
    data_prepare,
    data_report,
    data_simulate,
)
from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Make the data that everything else reads. A dataset folder holds the labels of all images (the cohort), split
    by patient into train, val and test, and their pixels as one array.
"""
EPILOG = """
    examples:
      chestxpert data download ~/nih
      chestxpert data prepare ~/nih --out data/nih
      chestxpert data check data/nih
      chestxpert data report data/nih
      chestxpert data card data/nih
      chestxpert data simulate --out data/drawn --images 1200
      chestxpert data oversample data/nih --out data/copies
"""


def add_to(commands: Commands) -> None:
    """Add the group and its commands to the command line."""
    parser: Parser = commands.add_parser(
        "data",
        help="download, prepare or simulate radiographs and labels, or copy rare ones",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.set_defaults(run=None, parser=parser)
    inner = parser.add_subparsers(title="commands", metavar="COMMAND")
    data_download.add_to(inner)
    data_prepare.add_to(inner)
    data_check.add_to(inner)
    data_report.add_to(inner)
    data_card.add_to(inner)
    data_simulate.add_to(inner)
    data_oversample.add_to(inner)
