"""`chestxpert report`: a study's comparison and page again, from what it stored."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.options import add_draws, add_margin, add_measuring, add_no_images, add_posthoc
from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Compare the stored predictions of a study again and draw its report again. Every figure comes from predictions
    and the cohort alone; the gallery of errors has pictures where the dataset folder is still there. Rewrites
    comparison.json and report.html, and with --posthoc notes in study.yaml which corrections are shown from now on.
"""
EPILOG = """
    examples:
      chestxpert report studies/first
      chestxpert report studies/first --draws 5000
      chestxpert report studies/first --threshold youden --subgroups sex view Effusion
      chestxpert report studies/first --posthoc all
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "report", help="draw a study's report again", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("study", metavar="STUDY", type=Path, help="study folder made by 'chestxpert compare'")
    add_measuring(parser, stored=True)
    add_draws(parser)
    add_margin(parser, "the study's own, if it has one")
    add_posthoc(parser, "those the study shows")
    add_no_images(parser)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Compare and draw again; returns the comparison and where the report is."""
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.recipe import parse_posthoc
    from chestxpert.report import build_report, summary_text
    from chestxpert.study.stored import write_comparison

    posthoc = None if arguments.posthoc is None else parse_posthoc(arguments.posthoc)
    comparison = write_comparison(
        arguments.study,
        draws=arguments.draws,
        margin=arguments.margin,
        posthoc=posthoc,
        progress=progress_on_stderr(),
        threshold=arguments.threshold,
        subgroups=arguments.subgroups,
    )
    report = build_report(arguments.study, images=not arguments.no_images)
    return f"{summary_text(comparison)}\n\nReport: {report}"
