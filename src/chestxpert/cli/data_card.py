"""`chestxpert data card`: a card of a dataset folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.options import add_draws, add_licence
from chestxpert.cli.parser import Parser, whole

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Write data-card.md about a dataset folder: what is in it, who is in it, where images and labels come from, what was
    done to them, what quality control noticed, and what is not recorded. The figures are those of 'data report', as
    text and without images. Hugging Face reads its head.
"""
EPILOG = """
    examples:
      chestxpert data card data/nih
      chestxpert data card data/nih --license cc0-1.0 --out README.md
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "card", help="write a data card of a dataset folder", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("folder", metavar="DATASET", type=Path, help="dataset folder made by 'chestxpert data prepare'")
    parser.add_argument(
        "--out", metavar="FILE", type=Path,
        help="the card; written anew unless somebody has changed it (default: DATASET/data-card.md)",
    )  # fmt: skip
    add_licence(parser, "the images")
    add_draws(parser, "for intervals of the shift to test")
    parser.add_argument(
        "--seed", metavar="N", type=whole(0), default=0, help="the same seed draws the same patients (default: 0)"
    )
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Write the card; returns where it is."""
    from chestxpert.report.cards import build_data_card

    card = build_data_card(
        arguments.folder, arguments.out, licence=arguments.licence, draws=arguments.draws, seed=arguments.seed
    )
    return f"Card: {card}"
