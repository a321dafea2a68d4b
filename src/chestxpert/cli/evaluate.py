"""`chestxpert evaluate`: a finished run on another data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.options import add_data, add_draws
from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Evaluate a finished run on images it did not learn from: predict them at the run's size, and report AUROC, average
    precision beside the prevalence, and F1 at the run's own thresholds, with intervals over patients. Only findings
    that both the run and the data set have are measured; the others are listed, each with the reason. What is unknown
    in the data set is left out, never read as absent.

    Patients that the run trained or validated on are left out too. Writes predictions.parquet and evaluation.json.
"""
EPILOG = """
    examples:
      chestxpert data prepare ~/chexpert --out data/chexpert --format chexpert --split test
      chestxpert evaluate runs/basic --data data/chexpert
      chestxpert evaluate studies/first/runs/flat-basic/seed-0 --data data/ours --split all --out results/ours
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "evaluate", help="evaluate a finished run on another data set", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="folder of a finished run")
    add_data(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder to make (default: RUN/evaluations/NAME)")
    parser.add_argument(
        "--split", choices=["test", "all"], default="test",
        help="images of the test side, or of every side (default: %(default)s)",
    )  # fmt: skip
    add_draws(parser)
    parser.add_argument(
        "--run-data", metavar="DIR", type=Path, help="where the run's own data set is now, if it has moved"
    )
    parser.add_argument(
        "--posthoc", metavar="NAME",
        help="correct the probabilities first: em estimates the prevalence of these images from their predictions "
        "alone; or platt, isotonic, ... as in 'chestxpert compare'",
    )  # fmt: skip
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Evaluate; returns the table and where the result is."""
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.evaluation.elsewhere_text import evaluation_table
    from chestxpert.recipe import Posthoc
    from chestxpert.training.evaluate import evaluate_elsewhere

    result = evaluate_elsewhere(
        arguments.run_folder,
        arguments.data,
        arguments.out,
        split=arguments.split,
        draws=arguments.draws,
        run_data=arguments.run_data,
        posthoc=None if arguments.posthoc is None else Posthoc.parse(arguments.posthoc),
        progress=progress_on_stderr(),
    )
    return f"{evaluation_table(result)}\n\nEvaluation: {result['folder']}"
