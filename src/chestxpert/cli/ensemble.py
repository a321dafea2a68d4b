"""`chestxpert ensemble`: one prediction of several runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.options import add_draws, add_no_images
from chestxpert.cli.parser import Parser
from chestxpert.errors import UsageError

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Average stored predictions of several runs into one: of all seeds of a study's recipes, or of runs that stand alone.
    Reads predictions and the cohort only, trains nothing. In a study the ensemble becomes a line of its comparison and
    report, at the cost of all its members together; of runs it makes a folder with predictions.parquet and
    evaluation.json, as a run has them.

    An ensemble of five runs costs five runs: beside single runs it compares budgets, too.
"""
EPILOG = """
    examples:
      chestxpert ensemble studies/first
      chestxpert ensemble studies/first --recipes flat-basic
      chestxpert ensemble studies/first --recipes flat-basic hierarchical-shared --name both --average ranks
      chestxpert ensemble runs/a runs/b --out runs/a-and-b
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "ensemble", help="average the predictions of several runs", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument(
        "folders", metavar="STUDY|RUN", nargs="+", type=Path, help="one study, or at least two finished runs"
    )
    parser.add_argument("--recipes", metavar="RECIPE", nargs="+", help="of a study: which recipes (default: all)")
    parser.add_argument(
        "--name", help="of a study: how the line is called (default: RECIPE-x3 for three seeds, or ensemble-x6)"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="of runs: folder to make")
    parser.add_argument("--data", metavar="DIR", type=Path, help="of runs: where their data set is, if it has moved")
    parser.add_argument(
        "--average", choices=["probs", "logits", "ranks"], default="probs",
        help="what is averaged; ranks are no probabilities (default: %(default)s)",
    )  # fmt: skip
    add_draws(parser)
    add_no_images(parser)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Average; returns the study's comparison or the ensemble's metrics, and where it is."""
    return _of_runs(arguments) if arguments.out else _of_study(arguments)


def _of_runs(arguments: argparse.Namespace) -> str:
    from chestxpert.cli.train import metrics_table
    from chestxpert.study.join import ensemble_runs

    if arguments.recipes or arguments.name:
        raise UsageError("--recipes and --name choose from a study; with --out, name the run folders themselves.")
    evaluation = ensemble_runs(arguments.folders, arguments.out, average=arguments.average, data=arguments.data)
    return f"{metrics_table(arguments.out.name, evaluation)}\n\nEnsemble: {arguments.out}"


def _of_study(arguments: argparse.Namespace) -> str:
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.report import build_report, summary_text
    from chestxpert.study.join import ensemble_study
    from chestxpert.study.stored import write_comparison

    if len(arguments.folders) > 1:
        raise UsageError("Several folders are runs, and their ensemble needs a folder of its own: name it with --out.")
    if arguments.data:
        raise UsageError("A study has its cohort with it; --data belongs to runs that stand alone.")
    (study,) = arguments.folders
    made = ensemble_study(study, arguments.recipes or (), name=arguments.name, average=arguments.average)
    comparison = write_comparison(study, draws=arguments.draws, progress=progress_on_stderr())
    report = build_report(study, images=not arguments.no_images)
    return f"{summary_text(comparison)}\n\nEnsemble: {made}\nReport: {report}"
