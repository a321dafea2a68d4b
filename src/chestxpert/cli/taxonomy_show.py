"""`chestxpert taxonomy show`: one tree, drawn."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.parser import Parser, whole

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Draw a taxonomy as a tree. With --data, each node has beside it how many training images it holds for, the share
    of those images whose label is known, and the share among the images where its parent holds, which is what the
    decision above it has to learn.
"""
EPILOG = """
    examples:
      chestxpert taxonomy show
      chestxpert taxonomy show clinical --labels cxrlt20
      chestxpert taxonomy show my-tree.yaml --data data/nih
      chestxpert taxonomy show --majority-count 3 --data data/nih
      chestxpert taxonomy show --majority-count 3 --data data/nih --format yaml > my-tree.yaml
      chestxpert taxonomy show clinical --data data/nih --format svg > clinical.svg
"""


def add_to(commands: Commands) -> None:
    """Add the command to its group."""
    parser: Parser = commands.add_parser("show", help="draw one as a tree", description=DESCRIPTION, epilog=EPILOG)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "taxonomy", metavar="NAME|FILE", nargs="?", default="study",
        help="a name of 'chestxpert taxonomy list', or a YAML file (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--majority-count", metavar="N", type=whole(1),
        help="the tree split after the N findings most frequent in training, as the name majority-N; needs --data",
    )  # fmt: skip
    over = parser.add_mutually_exclusive_group()
    over.add_argument("--data", metavar="DIR", type=Path, help="dataset folder whose training images are counted")
    over.add_argument(
        "--labels", choices=["nih15", "cxrlt20"], default="nih15",
        help="label space to draw it over, without counts (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=["text", "svg", "yaml"], default="text",
        help="text for the terminal, an SVG picture, or the tree as a taxonomy file (default: %(default)s)",
    )  # fmt: skip
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """The tree in the format asked for."""
    import sys

    from chestxpert.report.shown_taxonomy import ShownTaxonomy

    name = arguments.taxonomy if arguments.majority_count is None else f"majority-{arguments.majority_count}"
    if arguments.data is None:
        shown = ShownTaxonomy.over(name, arguments.labels)
    else:
        shown = ShownTaxonomy.counted(name, arguments.data)
    return shown.drawn(arguments.format, sys.stdout.encoding)
