"""`chestxpert card`: a model card of a study's recipe, or of one run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.options import add_draws, add_licence
from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Write model-card.md: what a model is, on whom it was trained, for whom it was measured, how well, and what was not
    measured. Each sentence follows from what the folder holds; nothing is hoped for. Hugging Face reads its head.

    Of a study the card is of the best recipe by validation, or of the one that --recipe names: a recipe, an ensemble
    or a corrected line. Of a finished run it is of that run alone, with intervals over patients.
"""
EPILOG = """
    examples:
      chestxpert card studies/first
      chestxpert card studies/first --recipe flat-basic --license apache-2.0 --out flat-basic.md
      chestxpert card studies/first/runs/flat-basic/seed-0
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "card", help="write a model card from what was measured", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("folder", metavar="STUDY|RUN", type=Path, help="a compared study, or a finished run")
    parser.add_argument(
        "--recipe", metavar="NAME", help="of a study: which line (default: the best recipe by validation)"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path,
        help="the card; written anew unless somebody has changed it (default: model-card.md in the folder)",
    )  # fmt: skip
    add_licence(parser, "the model")
    parser.add_argument("--data", metavar="DIR", type=Path, help="of a run: where its data set is, if it has moved")
    add_draws(parser, "for intervals of a run; those of a study are stored")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Write the card; returns where it is."""
    from chestxpert.report.cards import build_model_card

    card = build_model_card(
        arguments.folder,
        arguments.out,
        recipe=arguments.recipe,
        licence=arguments.licence,
        data=arguments.data,
        draws=arguments.draws,
    )
    return f"Card: {card}"
