"""`chestxpert data report`: one page about a dataset folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.options import add_draws
from chestxpert.cli.parser import Parser, whole

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Draw one page about a dataset folder, to be looked at before anything is trained on it: finding or no finding by
    split, the long tail, which findings come together, how test differs from training, age, sex and view, images a
    patient, sample images, what quality control noticed and what was left out.

    The page is one file with its pictures inside: it can be mailed, archived and printed, and fetches nothing. It
    shows images of patients: share it as you may share those.
"""
EPILOG = """
    examples:
      chestxpert data report data/nih
      chestxpert data report data/nih --out nih.html --samples 12
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "report", help="draw a page about a dataset folder", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("folder", metavar="DATASET", type=Path, help="dataset folder made by 'chestxpert data prepare'")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="the page; drawn anew if it is there (default: DATASET/report.html)"
    )
    parser.add_argument(
        "--samples", metavar="N", dest="samples_each", type=whole(0), default=6,
        help="sample images of each finding, at most 12 (default: %(default)s)",
    )  # fmt: skip
    add_draws(parser)
    parser.add_argument(
        "--seed", metavar="N", type=whole(0), default=0, help="the same seed draws the same samples (default: 0)"
    )
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Draw the page; returns where it is."""
    from chestxpert.report.dataset import build_data_report

    page = build_data_report(
        arguments.folder,
        arguments.out,
        draws=arguments.draws,
        samples_each=arguments.samples_each,
        seed=arguments.seed,
    )
    return f"Report: {page}"
